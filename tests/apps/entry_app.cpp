// SPDX-License-Identifier: Apache-2.0
// A GTK window with one text field; its content is written to a file (argv[1]) on every change. Return empties the field. (Selecting
// all and typing over it would race with GTK itself: a late notice that it lost the selection takes the next selection away.)
// The title is "handeye entry". With a second argument "hidden" it shows dots, as password fields do; with
// "settings" it begins with what the desktop says of animations.
#include <gtk/gtk.h>

#include <cstdio>
#include <fstream>
#include <string>

namespace {

void write_content(GtkEditable* editable, gpointer path) {
    const std::string target = static_cast<const char*>(path);
    std::ofstream(target + ".new", std::ios::binary) << gtk_entry_get_text(GTK_ENTRY(editable));
    std::rename((target + ".new").c_str(), target.c_str()); // a reader sees the old or the new text
}

void empty(GtkEntry* entry, gpointer /*unused*/) { gtk_entry_set_text(entry, ""); }

} // namespace

int main(int argc, char** argv) {
    gtk_init(&argc, &argv);
    if (argc < 2) {
        return 2;
    }
    GtkWidget* window = gtk_window_new(GTK_WINDOW_TOPLEVEL);
    gtk_window_set_title(GTK_WINDOW(window), "handeye entry");
    gtk_window_set_default_size(GTK_WINDOW(window), 900, 120);
    GtkWidget* entry = gtk_entry_new();
    gtk_entry_set_visibility(GTK_ENTRY(entry), argc > 2 && std::string(argv[2]) == "hidden" ? FALSE : TRUE);
    if (argc > 2 && std::string(argv[2]) == "settings") {
        gboolean are_on = FALSE;
        g_object_get(gtk_settings_get_default(), "gtk-enable-animations", &are_on, nullptr);
        gtk_entry_set_text(GTK_ENTRY(entry), are_on != FALSE ? "animations on" : "animations off");
    }
    gtk_container_add(GTK_CONTAINER(window), entry);
    g_signal_connect(entry, "changed", G_CALLBACK(write_content), argv[1]);
    g_signal_connect(entry, "activate", G_CALLBACK(empty), nullptr);
    g_signal_connect(window, "destroy", G_CALLBACK(gtk_main_quit), nullptr);
    gtk_widget_show_all(window);
    gtk_widget_grab_focus(entry);
    write_content(GTK_EDITABLE(entry), argv[1]);
    gtk_main();
    return 0;
}
