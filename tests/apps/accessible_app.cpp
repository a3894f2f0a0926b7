// SPDX-License-Identifier: Apache-2.0
// A GTK window with one of each kind of thing that AT-SPI tells of. Its title is "handeye accessible"; the label "pressed N" counts
// the clicks on "Press". With an argument X the window is moved to X, 0.
#include <gtk/gtk.h>

#include <cstdlib>
#include <string>

namespace {

void count(GtkButton* /*button*/, gpointer label) {
    static int pressed = 0;
    gtk_label_set_text(GTK_LABEL(label), ("pressed " + std::to_string(++pressed)).c_str());
}

void add_labelled(GtkWidget* box, const char* text, GtkWidget* field) {
    GtkWidget* label = gtk_label_new(text);
    gtk_label_set_mnemonic_widget(GTK_LABEL(label), field); // what makes it the field's label
    gtk_container_add(GTK_CONTAINER(box), label);
    gtk_container_add(GTK_CONTAINER(box), field);
}

GtkWidget* make_menu_bar() {
    GtkWidget* menu = gtk_menu_new();
    for (const char* item : {"Open it", "Close it"}) {
        gtk_menu_shell_append(GTK_MENU_SHELL(menu), gtk_menu_item_new_with_label(item));
    }
    GtkWidget* file = gtk_menu_item_new_with_label("Things");
    gtk_menu_item_set_submenu(GTK_MENU_ITEM(file), menu);
    GtkWidget* bar = gtk_menu_bar_new();
    gtk_menu_shell_append(GTK_MENU_SHELL(bar), file);
    return bar;
}

/// Few of its rows are in sight.
GtkWidget* make_scrolled_rows() {
    GtkWidget* rows = gtk_box_new(GTK_ORIENTATION_VERTICAL, 0);
    for (int i = 0; i < 40; ++i) {
        gtk_container_add(GTK_CONTAINER(rows), gtk_button_new_with_label(("Row " + std::to_string(i)).c_str()));
    }
    GtkWidget* scrolled = gtk_scrolled_window_new(nullptr, nullptr);
    gtk_widget_set_size_request(scrolled, 200, 100);
    gtk_container_add(GTK_CONTAINER(scrolled), rows);
    return scrolled;
}

void fill(GtkWidget* box) {
    gtk_container_add(GTK_CONTAINER(box), make_menu_bar());
    GtkWidget* name = gtk_entry_new();
    gtk_entry_set_text(GTK_ENTRY(name), "Ada");
    atk_object_set_accessible_id(gtk_widget_get_accessible(name), "name-field");
    add_labelled(box, "Name", name);
    GtkWidget* password = gtk_entry_new();
    gtk_entry_set_visibility(GTK_ENTRY(password), FALSE);
    gtk_entry_set_text(GTK_ENTRY(password), "hunter2");
    add_labelled(box, "Password", password);
    GtkWidget* pressed = gtk_label_new("pressed 0");
    GtkWidget* press = gtk_button_new_with_label("Press");
    g_signal_connect(press, "clicked", G_CALLBACK(count), pressed);
    GtkWidget* never = gtk_button_new_with_label("Never");
    gtk_widget_set_sensitive(never, FALSE);
    GtkWidget* agree = gtk_check_button_new_with_label("Agree");
    gtk_toggle_button_set_active(GTK_TOGGLE_BUTTON(agree), TRUE);
    GtkWidget* later = gtk_check_button_new_with_label("Later");
    GtkWidget* pages = gtk_notebook_new();
    gtk_notebook_append_page(GTK_NOTEBOOK(pages), gtk_button_new_with_label("In front"), gtk_label_new("First"));
    gtk_notebook_append_page(GTK_NOTEBOOK(pages), gtk_button_new_with_label("Behind"), gtk_label_new("Second"));
    for (GtkWidget* widget : {press, pressed, never, agree, later, pages, make_scrolled_rows()}) {
        gtk_container_add(GTK_CONTAINER(box), widget);
    }
}

} // namespace

int main(int argc, char** argv) {
    gtk_init(&argc, &argv);
    GtkWidget* window = gtk_window_new(GTK_WINDOW_TOPLEVEL);
    gtk_window_set_title(GTK_WINDOW(window), "handeye accessible");
    GtkWidget* box = gtk_box_new(GTK_ORIENTATION_VERTICAL, 4);
    fill(box);
    gtk_container_add(GTK_CONTAINER(window), box);
    g_signal_connect(window, "destroy", G_CALLBACK(gtk_main_quit), nullptr);
    gtk_widget_show_all(window);
    if (argc > 1) {
        gtk_window_move(GTK_WINDOW(window), std::atoi(argv[1]), 0);
    }
    gtk_main();
    return 0;
}
