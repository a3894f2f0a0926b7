// SPDX-License-Identifier: Apache-2.0
// A GTK window with a name, a password, a check box and two buttons, which tells of them by AT-SPI and writes to a file what it holds.
//
// login_app OUT FONT_PX X Y straight|reversed
//   OUT: "name=Ada\npassword=...\nagree=1\nclicked=Save\n", replaced on every change. Reversed: the rows in the other order.
#include <gtk/gtk.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>

namespace {

struct Login {
    std::string out;
    std::string clicked;
    GtkWidget* name = nullptr;
    GtkWidget* password = nullptr;
    GtkWidget* agree = nullptr;
};

void write(const Login& login) {
    {
        std::ofstream out(login.out + ".new", std::ios::binary);
        out << "name=" << gtk_entry_get_text(GTK_ENTRY(login.name)) << "\npassword=" << gtk_entry_get_text(GTK_ENTRY(login.password))
            << "\nagree=" << gtk_toggle_button_get_active(GTK_TOGGLE_BUTTON(login.agree)) << "\nclicked=" << login.clicked << "\n";
    }
    std::rename((login.out + ".new").c_str(), login.out.c_str()); // a reader sees the old or the new text
}

void on_change(GtkWidget* /*unused*/, gpointer data) { write(*static_cast<Login*>(data)); }

void on_click(GtkButton* button, gpointer data) {
    auto* const login = static_cast<Login*>(data);
    login->clicked += (login->clicked.empty() ? "" : ",") + std::string(gtk_button_get_label(button));
    write(*login);
}

GtkWidget* row(const char* text, GtkWidget* entry) {
    GtkWidget* const box = gtk_box_new(GTK_ORIENTATION_HORIZONTAL, 8);
    GtkWidget* const label = gtk_label_new_with_mnemonic(text);
    gtk_label_set_mnemonic_widget(GTK_LABEL(label), entry);
    gtk_box_pack_start(GTK_BOX(box), label, FALSE, FALSE, 0);
    gtk_box_pack_start(GTK_BOX(box), entry, TRUE, TRUE, 0);
    return box;
}

GtkWidget* button(const char* label, Login& login) {
    GtkWidget* const out = gtk_button_new_with_label(label);
    g_signal_connect(out, "clicked", G_CALLBACK(on_click), &login);
    return out;
}

} // namespace

int main(int argc, char** argv) {
    gtk_init(&argc, &argv);
    if (argc != 6) {
        return 2;
    }
    Login login;
    login.out = argv[1];
    const std::string css = "* {font-size: " + std::string(argv[2]) + "px;}";
    GtkCssProvider* const provider = gtk_css_provider_new();
    gtk_css_provider_load_from_data(provider, css.c_str(), -1, nullptr);
    gtk_style_context_add_provider_for_screen(gdk_screen_get_default(), GTK_STYLE_PROVIDER(provider), 800);
    g_object_set(gtk_settings_get_default(), "gtk-enable-animations", FALSE, nullptr); // on a busy machine a light fades for seconds
    GtkWidget* const window = gtk_window_new(GTK_WINDOW_TOPLEVEL);
    gtk_window_set_title(GTK_WINDOW(window), "handeye login");
    gtk_window_set_decorated(GTK_WINDOW(window), FALSE);
    gtk_window_move(GTK_WINDOW(window), std::atoi(argv[3]), std::atoi(argv[4]));
    login.name = gtk_entry_new();
    login.password = gtk_entry_new();
    gtk_entry_set_visibility(GTK_ENTRY(login.password), FALSE);
    login.agree = gtk_check_button_new_with_label("Agree");
    std::array<GtkWidget*, 5> rows{row("Name", login.name), row("Password", login.password), login.agree, button("Save", login), button("Cancel", login)};
    if (std::string(argv[5]) == "reversed") {
        std::reverse(rows.begin(), rows.end());
    }
    GtkWidget* const box = gtk_box_new(GTK_ORIENTATION_VERTICAL, 8);
    gtk_container_set_border_width(GTK_CONTAINER(box), 12);
    for (GtkWidget* const one : rows) {
        gtk_box_pack_start(GTK_BOX(box), one, FALSE, FALSE, 0);
    }
    gtk_container_add(GTK_CONTAINER(window), box);
    for (GtkWidget* const entry : {login.name, login.password}) {
        g_signal_connect(entry, "changed", G_CALLBACK(on_change), &login);
    }
    g_signal_connect(login.agree, "toggled", G_CALLBACK(on_change), &login);
    g_signal_connect(window, "destroy", G_CALLBACK(gtk_main_quit), nullptr);
    gtk_widget_show_all(window);
    gtk_widget_grab_focus(login.name);
    write(login);
    gtk_main();
    return 0;
}
