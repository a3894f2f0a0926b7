// SPDX-License-Identifier: Apache-2.0
// A real GTK 3 dialog built from a JSON description; it writes to a file what was done to it.
//
// handeye-form-app SPEC.json OUT.json
//   SPEC: {"title": "Contact", "widgets": [["field", "Name"], ["check", "Agree"], ["button",
//   "Save"]]} OUT:  {"checks":{"Agree":true},"clicked":["Save"],"fields":{"Name":"Ada"}}, replaced
//   as a whole on every change
// A task of models/nano/eval is such a SPEC; its README lists the optional keys of the layout.
// Accessibility is off: whoever drives this program has only its pixels.
#include <gtk/gtk.h>
#include <nlohmann/json.hpp>

#include <cstdio>
#include <cstdlib>
#include <exception>
#include <fstream>
#include <iostream>
#include <map>
#include <stdexcept>
#include <string>
#include <utility>

namespace {

/// What the person (or the program that plays one) has done so far.
class Outcome {
public:
    explicit Outcome(std::string path) : path_(std::move(path)) {}

    void set_field(const std::string& name, const std::string& text) {
        state_["fields"][name] = text;
    }
    void set_check(const std::string& name, bool is_on) { state_["checks"][name] = is_on; }
    void add_click(const std::string& name) { state_["clicked"].push_back(name); }

    /// Written beside the target and renamed over it, so that a reader never sees half of it.
    void write() const {
        const std::string beside = path_ + ".tmp";
        std::ofstream(beside) << state_.dump() << '\n';
        if (std::rename(beside.c_str(), path_.c_str()) != 0) {
            std::perror(path_.c_str());
            std::exit(EXIT_FAILURE); // a result that cannot be written must not look like "nothing
                                     // happened"
        }
    }

private:
    std::string path_;
    nlohmann::json state_ = {{"fields", nlohmann::json::object()},
                             {"checks", nlohmann::json::object()},
                             {"clicked", nlohmann::json::array()}};
};

struct Form {
    nlohmann::json spec;
    Outcome outcome;
    std::map<GtkWidget*, std::string> names = {};
};

void on_entry_changed(GtkEditable* entry, gpointer data) {
    auto* form = static_cast<Form*>(data);
    form->outcome.set_field(form->names.at(GTK_WIDGET(entry)),
                            gtk_entry_get_text(GTK_ENTRY(entry)));
    form->outcome.write();
}

void on_check_toggled(GtkToggleButton* check, gpointer data) {
    auto* form = static_cast<Form*>(data);
    form->outcome.set_check(form->names.at(GTK_WIDGET(check)),
                            gtk_toggle_button_get_active(check) != FALSE);
    form->outcome.write();
}

void on_button_clicked(GtkButton* button, gpointer data) {
    auto* form = static_cast<Form*>(data);
    form->outcome.add_click(form->names.at(GTK_WIDGET(button)));
    form->outcome.write();
}

/// How the dialog looks; the keys of the description have these names.
struct Layout {
    int width_px = 336;
    int height_px = 224;
    std::string font = "DejaVu Sans";
    int font_px = 13;
    std::string window_colour, text_colour, widget_colour; ///< "#rrggbb"; empty: the theme's
    int spacing = 6; ///< between the rows of the dialog
    int border = 10; ///< around the dialog
    bool are_buttons_end =
        true; ///< "end": packed from the right, the first one rightmost; "start": from the left
};

Layout layout_of(const nlohmann::json& spec) {
    Layout look;
    if (const auto size = spec.find("size"); size != spec.end()) {
        look.width_px = size->at(0).get<int>();
        look.height_px = size->at(1).get<int>();
    }
    look.font = spec.value("font", look.font);
    look.font_px = spec.value("font_px", look.font_px);
    look.window_colour = spec.value("window_colour", look.window_colour);
    look.text_colour = spec.value("text_colour", look.text_colour);
    look.widget_colour = spec.value("widget_colour", look.widget_colour);
    look.spacing = spec.value("spacing", look.spacing);
    look.border = spec.value("border", look.border);
    const auto buttons = spec.value("buttons", std::string("end"));
    if (buttons != "end" && buttons != "start") {
        throw std::runtime_error("buttons is \"" + buttons + "\", not start or end");
    }
    look.are_buttons_end = buttons == "end";
    return look;
}

void apply_style(const Layout& look) {
    std::string css = "* {font-family: '" + look.font + "'; font-size: " + std::to_string(look.font_px) + "px;}";
    if (!look.window_colour.empty()) {
        css += " window, box, grid {background-color: " + look.window_colour + ";}";
    }
    if (!look.text_colour.empty()) {
        css += " label, checkbutton, entry {color: " + look.text_colour + ";}";
    }
    if (!look.widget_colour.empty()) {
        css += " button, entry {background-image: none; background-color: " + look.widget_colour + ";}";
        css += " button:hover {background-color: shade(" + look.widget_colour + ", 1.08);}"; // a button answers the pointer, as every theme's do
        css += " button:active {background-color: shade(" + look.widget_colour + ", 0.85);}";
    }
    GtkCssProvider* provider = gtk_css_provider_new();
    gtk_css_provider_load_from_data(provider, css.c_str(), -1, nullptr);
    gtk_style_context_add_provider_for_screen(gdk_screen_get_default(),
                                              GTK_STYLE_PROVIDER(provider), 800);
    g_object_unref(provider);
}

GtkWidget* left_label(const std::string& text) {
    GtkWidget* label = gtk_label_new(text.c_str());
    gtk_label_set_xalign(GTK_LABEL(label), 0);
    return label;
}

/// One widget of the description, at its place: fields in the grid, checks below it, buttons in the
/// bar.
void add_widget(Form& form, const Layout& look, const nlohmann::json& widget, GtkWidget* root,
                GtkWidget* grid, GtkWidget* bar, int& row) {
    const auto kind = widget.at(0).get<std::string>();
    const auto name = widget.at(1).get<std::string>();
    if (kind == "field") {
        GtkWidget* entry = gtk_entry_new();
        gtk_widget_set_hexpand(entry, TRUE);
        gtk_grid_attach(GTK_GRID(grid), left_label(name + ":"), 0, row, 1, 1);
        gtk_grid_attach(GTK_GRID(grid), entry, 1, row++, 1, 1);
        form.names[entry] = name;
        form.outcome.set_field(name, "");
        g_signal_connect(entry, "changed", G_CALLBACK(on_entry_changed), &form);
    } else if (kind == "check") {
        GtkWidget* check = gtk_check_button_new_with_label(name.c_str());
        gtk_box_pack_start(GTK_BOX(root), check, FALSE, FALSE, 0);
        form.names[check] = name;
        form.outcome.set_check(name, false);
        g_signal_connect(check, "toggled", G_CALLBACK(on_check_toggled), &form);
    } else if (kind == "button") {
        GtkWidget* button = gtk_button_new_with_label(name.c_str());
        (look.are_buttons_end ? gtk_box_pack_end : gtk_box_pack_start)(GTK_BOX(bar), button, FALSE,
                                                                       FALSE, 0);
        form.names[button] = name;
        g_signal_connect(button, "clicked", G_CALLBACK(on_button_clicked), &form);
    } else {
        throw std::runtime_error("widget kind \"" + kind + "\" is not field, check or button");
    }
}

void build_window(Form& form) {
    const Layout look = layout_of(form.spec);
    const auto title = form.spec.at("title").get<std::string>();
    GtkWidget* window = gtk_window_new(GTK_WINDOW_TOPLEVEL);
    gtk_window_set_title(GTK_WINDOW(window), title.c_str());
    gtk_window_set_default_size(GTK_WINDOW(window), look.width_px, look.height_px);
    gtk_widget_set_size_request(window, look.width_px, look.height_px);
    gtk_window_set_decorated(GTK_WINDOW(window), FALSE);

    GtkWidget* root = gtk_box_new(GTK_ORIENTATION_VERTICAL, look.spacing);
    gtk_container_set_border_width(GTK_CONTAINER(root), static_cast<guint>(look.border));
    gtk_box_pack_start(GTK_BOX(root), left_label(title), FALSE, FALSE, 0);
    GtkWidget* grid = gtk_grid_new();
    gtk_grid_set_row_spacing(GTK_GRID(grid), 4);
    gtk_grid_set_column_spacing(GTK_GRID(grid), 8);
    gtk_box_pack_start(GTK_BOX(root), grid, FALSE, FALSE, 0);
    GtkWidget* bar = gtk_box_new(GTK_ORIENTATION_HORIZONTAL, 6);
    int row = 0;
    for (const nlohmann::json& widget : form.spec.at("widgets")) {
        add_widget(form, look, widget, root, grid, bar, row);
    }
    gtk_box_pack_end(GTK_BOX(root), bar, FALSE, FALSE, 0);
    gtk_container_add(GTK_CONTAINER(window), root);

    apply_style(look);
    g_signal_connect(window, "destroy", G_CALLBACK(gtk_main_quit), nullptr);
    gtk_widget_show_all(window);
    gtk_window_move(GTK_WINDOW(window), 0, 0);
    gtk_window_present(GTK_WINDOW(window));
}

/// The same pixels on every machine, whatever the user's desktop settings are. What it shows it tells (AT-SPI) only where it was
/// given a bus for that: looking for one takes time.
void pin_appearance() {
    g_setenv("GDK_BACKEND", "x11", TRUE);
    g_setenv("GDK_SCALE", "1", TRUE);
    g_setenv("GDK_DPI_SCALE", "1", TRUE);
    g_setenv("GTK_THEME", "Adwaita", TRUE);
    if (g_getenv("AT_SPI_BUS_ADDRESS") == nullptr) {
        g_setenv("NO_AT_BRIDGE", "1", TRUE);
    }
    g_unsetenv("GTK_MODULES");
}

} // namespace

int main(int argc, char** argv) {
    if (argc != 3) {
        std::cerr << "usage: handeye-form-app SPEC.json OUT.json\n";
        return 2;
    }
    pin_appearance();
    if (gtk_init_check(nullptr, nullptr) == FALSE) {
        const char* display = std::getenv("DISPLAY");
        std::cerr << "handeye-form-app: cannot open the X display \""
                  << (display != nullptr ? display : "") << "\"\n";
        return 5;
    }
    try {
        std::ifstream in(argv[1]);
        if (!in) {
            std::cerr << "handeye-form-app: cannot read " << argv[1] << '\n';
            return 2;
        }
        Form form{.spec = nlohmann::json::parse(in), .outcome = Outcome(argv[2])};
        build_window(form);
        form.outcome.write();
        gtk_main();
    } catch (const std::exception& problem) {
        std::cerr << "handeye-form-app: " << argv[1] << ": " << problem.what() << '\n';
        return 2;
    }
    return 0;
}
