// SPDX-License-Identifier: Apache-2.0
// The ladder over elements and small pictures made by hand: no display, and text is read in the last tests only.
#include "agent/locate/locate.h"

#include <gtest/gtest.h>

namespace handeye {
namespace {

constexpr Size kScreen{640, 400};

Image flat(Size size, std::uint8_t level) {
    return *Image::from_pixels(size, PixelFormat::Rgb, std::vector<std::uint8_t>(static_cast<std::size_t>(size.area()) * 3, level));
}

/// A screen that is painted on: rectangles and icons of 24x24 whose pattern comes from a number.
struct Canvas {
    Size size;
    std::vector<std::uint8_t> pixels;
    explicit Canvas(Size s = kScreen, std::uint8_t level = 240) : size(s), pixels(static_cast<std::size_t>(s.area()) * 3, level) {}
    void fill(Rect r, std::uint8_t red, std::uint8_t green, std::uint8_t blue) {
        for (int y = r.y; y < r.y + r.height_px; ++y) {
            for (int x = r.x; x < r.x + r.width_px; ++x) {
                auto* const p = &pixels[(static_cast<std::size_t>(y) * static_cast<std::size_t>(size.width_px) + static_cast<std::size_t>(x)) * 3];
                p[0] = red, p[1] = green, p[2] = blue;
            }
        }
    }
    void icon(Point at, unsigned pattern, std::uint8_t red = 30, std::uint8_t green = 30, std::uint8_t blue = 160) {
        fill({at.x, at.y, 24, 24}, 250, 250, 250);
        for (unsigned bit = 0; bit < 16; ++bit) {
            if ((pattern >> bit & 1U) != 0) {
                fill({at.x + 4 + static_cast<int>(bit % 4) * 4, at.y + 4 + static_cast<int>(bit / 4) * 4, 4, 4}, red, green, blue);
            }
        }
    }
    [[nodiscard]] Image image() const { return *Image::from_pixels(size, PixelFormat::Rgb, pixels); }
};

class LocateTest : public ::testing::Test {
protected:
    Result<Found> find(const TargetQuery& query) {
        if (!locator) {
            locator = Locator::create(std::move(options));
        }
        return locator->find(query, {image, elements});
    }
    void add(const std::string& role, const std::string& label, Rect box, int parent = -1) { elements.push_back({.role = role, .label_utf8 = label, .box = box, .parent = parent}); }
    /// Three rows: a name, its field, its button.
    void add_rows() {
        int y = 40;
        for (const char* const name : {"Ada", "Bob", "Cleo"}) {
            add("label", name, {20, y, 60, 20});
            add("entry", "", {100, y, 200, 20});
            add("push button", "Edit", {320, y, 60, 20});
            y += 40;
        }
    }
    Image image = flat(kScreen, 240);
    std::vector<Element> elements;
    LocatorOptions options;
    std::unique_ptr<Locator> locator;
};

TEST_F(LocateTest, PrefersTheWholeLabelToAPartOfIt) {
    add("push button", "Save as...", {10, 10, 80, 20});
    add("push button", "Save", {100, 10, 80, 20});
    add("push button", "Unsaved", {200, 10, 80, 20});
    const auto found = find({.label_utf8 = "save"});
    ASSERT_TRUE(found) << found.error().message;
    EXPECT_EQ(found->point, (Point{140, 20}));
    EXPECT_EQ(found->best.rung, Rung::Structure);
    EXPECT_EQ(found->best.score, 1);
    EXPECT_NEAR(found->margin, 0.15, 1e-9);
    EXPECT_TRUE(found->tried.empty());
}

TEST_F(LocateTest, FoldsMnemonicsBlanksAndEllipses) {
    add("push button", "  Save _As…", {10, 10, 80, 20});
    add("push button", "GRÖSSE:", {100, 10, 80, 20});
    EXPECT_TRUE(find({.label_utf8 = "save as"}));
    EXPECT_TRUE(find({.label_utf8 = "größe"}).error().code == ErrorCode::NotFound); // SS is not ß
    EXPECT_TRUE(find({.label_utf8 = "grösse"}));
    EXPECT_FALSE(find({.label_utf8 = "save as", .is_exact = true}));
    EXPECT_TRUE(find({.label_utf8 = "Save _As…", .is_exact = true}));
}

TEST_F(LocateTest, DoesNotTakeTheMiddleOfAWord) {
    add("push button", "Unsaved", {10, 10, 80, 20});
    options.reader = "/bin/false"; // what is not in the elements is not read either
    const auto found = find({.label_utf8 = "save"});
    ASSERT_FALSE(found);
    EXPECT_EQ(found.error().code, ErrorCode::NotFound);
    EXPECT_NE(found.error().message.find("structure: best was \"push button Unsaved\" 0.60 of 0.70 at 50,20"), std::string::npos) << found.error().message;
}

TEST_F(LocateTest, NamesTheRoleAsPeopleDo) {
    add("push button", "Agree", {10, 10, 80, 20});
    add("check box", "Agree", {10, 40, 80, 20});
    for (const char* const role : {"button", "push button", "Push-Button", "pushbutton"}) {
        const auto found = find({.role = role, .label_utf8 = "Agree"});
        ASSERT_TRUE(found) << role << found.error().message;
        EXPECT_EQ(found->point.y, 20) << role;
    }
    for (const char* const role : {"check box", "checkbox", "check button", "CHECK_BOX"}) {
        const auto found = find({.role = role, .label_utf8 = "Agree"});
        ASSERT_TRUE(found) << role << found.error().message;
        EXPECT_EQ(found->point.y, 50) << role;
    }
}

TEST_F(LocateTest, TakesWhatCanBeWorkedBeforeWhatOnlyShows) {
    add("label", "Name", {10, 10, 60, 20});
    add("entry", "Name", {80, 10, 200, 20});
    const auto found = find({.label_utf8 = "Name"});
    ASSERT_TRUE(found) << found.error().message;
    EXPECT_EQ(found->point.x, 180);
}

TEST_F(LocateTest, TakesTheInnerOfTwoThatAreOne) {
    add("table row", "Ada", {10, 10, 300, 20});
    add("table cell", "Ada", {10, 10, 100, 20}, 0);
    const auto found = find({.text_utf8 = "Ada"});
    ASSERT_TRUE(found) << found.error().message;
    EXPECT_EQ(found->point.x, 60);
}

TEST_F(LocateTest, TakesWhatIsEnabledAndTellsWhenItIsNot) {
    add("push button", "Next", {10, 10, 80, 20});
    elements.back().is_enabled = false;
    auto found = find({.label_utf8 = "Next"});
    ASSERT_TRUE(found);
    EXPECT_FALSE(found->best.is_enabled);
    add("push button", "Next", {10, 50, 80, 20});
    found = find({.label_utf8 = "Next"});
    ASSERT_TRUE(found) << found.error().message;
    EXPECT_TRUE(found->best.is_enabled);
    EXPECT_EQ(found->point.y, 60);
}

TEST_F(LocateTest, SaysThatItIsOutOfSight) {
    add("push button", "Save", {700, 10, 80, 20});
    options.reader = "/bin/false";
    const auto found = find({.label_utf8 = "Save"});
    ASSERT_FALSE(found);
    EXPECT_NE(found.error().message.find("1 such out of sight"), std::string::npos) << found.error().message;
}

TEST_F(LocateTest, RefusesTwoThatAreEqual) {
    add_rows();
    const auto found = find({.role = "button", .label_utf8 = "Edit"});
    ASSERT_FALSE(found);
    EXPECT_EQ(found.error().code, ErrorCode::InvalidArgument);
    for (const char* const part : {"button \"Edit\" is not one but 3", "at 350,50;", "at 350,90;", "at 350,130", "near", "region", "index"}) {
        EXPECT_NE(found.error().message.find(part), std::string::npos) << part << " in " << found.error().message;
    }
}

TEST_F(LocateTest, TellsEqualsApartByNeighbourRegionAndIndex) {
    add_rows();
    const auto y_of = [&](TargetQuery query) {
        const auto found = find(query);
        EXPECT_TRUE(found) << found.error().message;
        return found ? found->point.y : -1;
    };
    TargetQuery edit{.role = "button", .label_utf8 = "Edit"};
    edit.near = Neighbour{.text_utf8 = "Bob", .picture = {}, .side = Side::Right};
    EXPECT_EQ(y_of(edit), 90);
    edit.near = Neighbour{.label_utf8 = "Cleo", .picture = {}};
    EXPECT_EQ(y_of(edit), 130);
    edit.near.reset();
    edit.index = 1;
    EXPECT_EQ(y_of(edit), 50);
    edit.index = 3;
    EXPECT_EQ(y_of(edit), 130);
    edit.index = 0;
    edit.region = Rect{0, 70, 640, 40};
    EXPECT_EQ(y_of(edit), 90);
    EXPECT_EQ(y_of({.role = "entry", .near = Neighbour{.text_utf8 = "Ada", .picture = {}, .side = Side::Right}}), 50);
}

TEST_F(LocateTest, RefusesTheWrongSideAndTheIndexBeyondTheLast) {
    add_rows();
    options.reader = "/bin/false";
    EXPECT_EQ(find({.role = "button", .label_utf8 = "Edit", .near = Neighbour{.text_utf8 = "Bob", .picture = {}, .side = Side::Left}}).error().code, ErrorCode::NotFound);
    const auto fourth = find({.role = "button", .label_utf8 = "Edit", .index = 4});
    ASSERT_FALSE(fourth);
    EXPECT_NE(fourth.error().message.find("there are only 3 of them"), std::string::npos) << fourth.error().message;
    EXPECT_EQ(find({.label_utf8 = "Edit", .index = -1}).error().code, ErrorCode::InvalidArgument);
}

TEST_F(LocateTest, RefusesTwoThatAreEquallyNear) {
    add("label", "Name", {100, 100, 60, 20});
    add("entry", "", {200, 70, 60, 20});
    add("entry", "", {200, 130, 60, 20});
    EXPECT_EQ(find({.role = "entry", .near = Neighbour{.text_utf8 = "Name", .picture = {}}}).error().code, ErrorCode::InvalidArgument);
}

TEST_F(LocateTest, TakesTheWordsBesideAFieldForItsLabel) {
    add("label", "Name:", {20, 40, 60, 20});
    add("entry", "", {100, 40, 200, 20});
    add("label", "City", {320, 40, 40, 20});
    add("entry", "", {380, 40, 200, 20});
    add("label", "Street *", {20, 80, 60, 16});
    add("entry", "", {20, 100, 200, 20});
    options.reader = "/bin/false";
    const auto x_of = [&](const char* label) {
        const auto found = find({.role = "entry", .label_utf8 = label, .is_exact = true});
        EXPECT_TRUE(found) << found.error().message;
        return found ? found->best.box.x * 1000 + found->best.box.y : -1;
    };
    EXPECT_EQ(x_of("Name"), 100'040);
    EXPECT_EQ(x_of("City"), 380'040);
    EXPECT_EQ(x_of("Street"), 20'100);
    const auto renamed = find({.role = "entry", .label_utf8 = "Town", .is_exact = true});
    ASSERT_FALSE(renamed);
    EXPECT_NE(renamed.error().message.find("of this role there are \"Name\", \"City\", \"Street\""), std::string::npos) << renamed.error().message;
}

TEST_F(LocateTest, TakesNoWordsForALabelBehindAnotherField) {
    add("label", "Name", {20, 40, 60, 20});
    add("entry", "", {100, 40, 60, 20});
    add("entry", "", {180, 40, 60, 20});
    add("push button", "Find", {20, 80, 60, 20});
    add("label", "Find", {25, 82, 50, 16}, 3);
    add("entry", "", {100, 80, 60, 20});
    options.reader = "/bin/false";
    const auto found = find({.role = "entry", .label_utf8 = "Name"});
    ASSERT_TRUE(found) << found.error().message;
    EXPECT_EQ(found->best.box.x, 100);
    EXPECT_FALSE(find({.role = "entry", .label_utf8 = "Find"}));
}

TEST_F(LocateTest, TakesNoFieldForItsKindAlone) {
    add("label", "Width", {100, 100, 40, 20});
    add("label", "Height", {100, 140, 40, 20});
    add("entry", "", {400, 100, 80, 20}); // too far from both for a label
    options.reader = "/bin/false";
    TargetQuery query{.role = "entry", .was_at = Rect{400, 100, 80, 20}};
    query.landmarks = {{"Width", 320, 0}, {"Height", 320, -40}};
    const auto found = find(query);
    ASSERT_TRUE(found) << found.error().message;
    EXPECT_EQ(found->best.rung, Rung::Landmark);
    query.landmarks.push_back({"Depth", 320, -80}); // gone: another form
    EXPECT_FALSE(find(query));
    query.landmarks.pop_back();
    elements.back().box.y = 300; // the place is there, and no field
    EXPECT_FALSE(find(query));
}

TEST_F(LocateTest, HoldsTheIdAgainstTheElement) {
    add("push button", "Go", {10, 10, 80, 20});
    elements.back().id = "go-1";
    add("push button", "Go", {10, 50, 80, 20});
    elements.back().id = "go-2";
    const auto found = find({.id = "go-2"});
    ASSERT_TRUE(found) << found.error().message;
    EXPECT_EQ(found->point.y, 60);
    options.reader = "/bin/false";
    EXPECT_FALSE(find({.id = "go-3"}));
}

TEST_F(LocateTest, NeverShowsOrSearchesASecret) {
    add("password text", "Password", {10, 10, 80, 20});
    elements.back().is_secret = true;
    elements.back().value_utf8 = "hunter2";
    options.reader = "/bin/false";
    const auto found = find({.text_utf8 = "hunter2"});
    ASSERT_FALSE(found);
    EXPECT_EQ(found.error().message.find("hunter2", 20), std::string::npos) << found.error().message; // the query's own words come before
    EXPECT_TRUE(find({.label_utf8 = "Password"}));
}

TEST_F(LocateTest, FindsAPictureNearWhereItWas) {
    Canvas canvas;
    canvas.icon({200, 100}, 0x9A6F);
    const Image icon = canvas.image().cropped({200, 100, 24, 24});
    Canvas later;
    later.icon({230, 120}, 0x9A6F);
    later.icon({560, 300}, 0x9A6F); // far away: another one
    image = later.image();
    auto found = find({.picture = icon, .was_at = Rect{200, 100, 24, 24}});
    ASSERT_TRUE(found) << found.error().message;
    EXPECT_EQ(found->best.rung, Rung::LocalTemplate);
    EXPECT_EQ(found->point, (Point{242, 132}));
    found = find({.picture = icon});
    ASSERT_FALSE(found);
    EXPECT_EQ(found.error().code, ErrorCode::InvalidArgument); // two, and no place
    found = find({.picture = icon, .region = Rect{500, 200, 140, 200}});
    ASSERT_TRUE(found) << found.error().message;
    EXPECT_EQ(found->point, (Point{572, 312}));
    EXPECT_EQ(found->best.rung, Rung::Template);
}

TEST_F(LocateTest, RefusesAPictureThatIsOnlyAlike) {
    Canvas canvas, later;
    canvas.icon({200, 100}, 0x9A6F);
    later.icon({230, 120}, 0x9A6E);               // one of sixteen fields differs
    later.icon({430, 220}, 0x9A6F, 160, 30, 30);  // another colour
    image = later.image();
    const auto found = find({.picture = canvas.image().cropped({200, 100, 24, 24}), .was_at = Rect{200, 100, 24, 24}});
    ASSERT_FALSE(found);
    EXPECT_EQ(found.error().code, ErrorCode::NotFound);
    EXPECT_NE(found.error().message.find("of 0.95"), std::string::npos) << found.error().message;
}

TEST_F(LocateTest, FindsAPictureAtAnotherSize) {
    Canvas canvas, later;
    canvas.icon({200, 100}, 0x9A6F);
    const Rect large{300, 200, 48, 48};
    later.fill(large, 250, 250, 250);
    for (unsigned bit = 0; bit < 16; ++bit) {
        if ((0x9A6FU >> bit & 1U) != 0) {
            later.fill({large.x + 8 + static_cast<int>(bit % 4) * 8, large.y + 8 + static_cast<int>(bit / 4) * 8, 8, 8}, 30, 30, 160);
        }
    }
    image = later.image();
    const auto found = find({.picture = canvas.image().cropped({200, 100, 24, 24})});
    ASSERT_TRUE(found) << found.error().message;
    EXPECT_TRUE(large.contains(found->point));
    EXPECT_EQ(found->best.what_utf8, "its picture at 200 %");
}

TEST_F(LocateTest, RefusesPicturesThatCouldBeAnywhere) {
    for (const Size size : {Size{1, 1}, Size{5, 40}, Size{40, 30}}) {
        const auto found = find({.picture = flat(size, 240), .was_at = Rect{10, 10, size.width_px, size.height_px}});
        ASSERT_FALSE(found) << size.width_px;
        EXPECT_EQ(found.error().code, ErrorCode::NotFound);
    }
    EXPECT_NE(find({.picture = flat({40, 30}, 240)}).error().message.find("of one colour"), std::string::npos);
    EXPECT_NE(find({.picture = flat({1, 1}, 240)}).error().message.find("too small"), std::string::npos);
    Canvas busy({2000, 1000}, 10);
    busy.icon({20, 20}, 0x1234);
    EXPECT_FALSE(find({.picture = busy.image()})); // larger than the screen
}

TEST_F(LocateTest, CountsOnlyWhatIsNotTransparent) {
    Canvas canvas;
    canvas.fill({180, 80, 80, 80}, 90, 140, 90); // the ground has changed
    canvas.icon({200, 100}, 0x9A6F);
    image = canvas.image();
    std::vector<std::uint8_t> rgba;
    for (int y = 0; y < 34; ++y) {
        for (int x = 0; x < 34; ++x) {
            const bool is_icon = x >= 5 && x < 29 && y >= 5 && y < 29;
            const auto* const p = &image.bytes()[(static_cast<std::size_t>(y + 95) * kScreen.width_px + static_cast<std::size_t>(x + 195)) * 3];
            rgba.insert(rgba.end(), {is_icon ? p[0] : std::uint8_t{0}, is_icon ? p[1] : std::uint8_t{0}, is_icon ? p[2] : std::uint8_t{0}, is_icon ? std::uint8_t{255} : std::uint8_t{0}});
        }
    }
    const auto found = find({.picture = *Image::from_pixels({34, 34}, PixelFormat::Rgba, rgba)});
    ASSERT_TRUE(found) << found.error().message;
    EXPECT_EQ(found->point, (Point{212, 112}));
}

TEST_F(LocateTest, RefusesThePictureWhereTheElementIsAnother) {
    Canvas canvas;
    canvas.icon({200, 100}, 0x9A6F);
    image = canvas.image();
    options.reader = "/bin/false";
    TargetQuery query{.label_utf8 = "Save", .picture = image.cropped({200, 100, 24, 24})};
    add("push button", "Send", {196, 96, 32, 32});
    const auto found = find(query);
    ASSERT_FALSE(found);
    EXPECT_NE(found.error().message.find("template: at 212,112 there is push button \"Send\""), std::string::npos) << found.error().message;
    elements.back().label_utf8 = "";
    EXPECT_TRUE(find(query)); // nothing is known against it
    elements.back() = {.role = "drawing area", .label_utf8 = "Canvas", .box = {0, 0, 640, 400}};
    EXPECT_TRUE(find(query)); // nor by what it is drawn on
}

TEST_F(LocateTest, FindsByLandmarksThatAgree) {
    add("label", "Width", {100, 100, 40, 20});   // centre 120,110
    add("label", "Height", {100, 140, 40, 20});  // centre 120,150
    add("label", "Depth", {100, 180, 40, 20});   // centre 120,190
    TargetQuery query{.was_at = Rect{0, 0, 80, 20}};
    query.landmarks = {{"Width", 200, 0}, {"Height", 200, -40}, {"Depth", 200, -80}, {"Gone", 1, 1}};
    options.reader = "/bin/false"; // there is nothing to read on this screen
    auto found = find(query);
    ASSERT_TRUE(found) << found.error().message;
    EXPECT_EQ(found->best.score, 0.75);
    query.landmarks.pop_back();
    found = find(query);
    ASSERT_TRUE(found) << found.error().message;
    EXPECT_EQ(found->best.rung, Rung::Landmark);
    EXPECT_EQ(found->point, (Point{320, 110}));
    EXPECT_EQ(found->best.score, 1);
    query.landmarks[1].down_px = 90; // one moved
    found = find(query);
    ASSERT_TRUE(found) << found.error().message;
    EXPECT_NEAR(found->best.score, 2.0 / 3, 1e-9);
    query.landmarks[2].right_px = -30; // none agree
    EXPECT_EQ(find(query).error().code, ErrorCode::NotFound);
    query.landmarks = {{"Width", 200, 0}};
    EXPECT_NE(find(query).error().message.find("2 are needed"), std::string::npos);
}

TEST_F(LocateTest, RefusesLandmarksWhereTheButtonWasRenamed) {
    add("label", "Width", {100, 100, 40, 20});
    add("label", "Height", {100, 140, 40, 20});
    add("push button", "Discard", {280, 100, 80, 20});
    options.reader = "/bin/false";
    TargetQuery query{.role = "button", .label_utf8 = "Save"};
    query.landmarks = {{"Width", 200, 0}, {"Height", 200, -40}};
    query.at = Point{320, 110};
    const auto found = find(query);
    ASSERT_FALSE(found);
    EXPECT_NE(found.error().message.find("landmark: at 320,110 there is push button \"Discard\""), std::string::npos) << found.error().message;
    EXPECT_NE(found.error().message.find("coordinates: at 320,110 there is push button \"Discard\""), std::string::npos) << found.error().message;
}

TEST_F(LocateTest, AsksTheModelWhenNothingElseHelps) {
    std::string asked;
    options.ask_model = [&](const Image& seen, const std::string& words) -> Result<Rect> {
        asked = words;
        EXPECT_EQ(seen.size(), kScreen);
        return Rect{600, 380, 100, 100};
    };
    const auto found = find({.role = "button", .description_utf8 = "the red button"});
    ASSERT_TRUE(found) << found.error().message;
    EXPECT_EQ(asked, "the red button");
    EXPECT_EQ(found->best.rung, Rung::Model);
    EXPECT_EQ(found->best.box, (Rect{600, 380, 40, 20})); // of it what lies on the screen
    ASSERT_EQ(found->tried.size(), 1U);
    EXPECT_EQ(found->tried[0], "structure: the platform tells of no elements");
}

TEST_F(LocateTest, DoesNotBelieveAModelThatPointsAway) {
    options.ask_model = [](const Image&, const std::string&) -> Result<Rect> { return Rect{900, 10, 10, 10}; };
    EXPECT_EQ(find({.description_utf8 = "it"}).error().code, ErrorCode::NotFound);
    locator.reset();
    options.ask_model = nullptr;
    EXPECT_NE(find({.description_utf8 = "it"}).error().message.find("model: no model may be asked"), std::string::npos);
}

TEST_F(LocateTest, TakesAPlaceAloneAndSaysWhenItIsTheLastResort) {
    auto found = find({.at = Point{30, 40}});
    ASSERT_TRUE(found);
    EXPECT_EQ(found->best.rung, Rung::Coordinates);
    EXPECT_EQ(found->best.score, 1);
    EXPECT_EQ(found->point, (Point{30, 40}));
    found = find({.role = "button", .at = Point{30, 40}});
    ASSERT_TRUE(found);
    EXPECT_EQ(found->best.score, 0);
    EXPECT_EQ(found->tried.size(), 1U);
    EXPECT_EQ(find({.at = Point{640, 40}}).error().code, ErrorCode::NotFound);
    EXPECT_EQ(find({.at = Point{30, 40}, .region = Rect{100, 100, 50, 50}}).error().code, ErrorCode::NotFound);
}

TEST_F(LocateTest, RefusesNothingAndEmptyScreens) {
    EXPECT_EQ(find({}).error().code, ErrorCode::InvalidArgument);
    EXPECT_EQ(find({.label_utf8 = "Save", .region = Rect{700, 0, 10, 10}}).error().code, ErrorCode::NotFound);
    image = Image();
    EXPECT_EQ(find({.label_utf8 = "Save"}).error().code, ErrorCode::InvalidArgument);
    image = flat({1, 1}, 0);
    EXPECT_EQ(find({.label_utf8 = "Save"}).error().code, ErrorCode::NotFound);
    EXPECT_EQ(find({.picture = flat({20, 20}, 3)}).error().code, ErrorCode::NotFound);
}

TEST_F(LocateTest, SurvivesWhatOtherProgramsTell) {
    const std::string zeros(40, '\0');
    for (const std::string& text : {std::string("\xff\xfe\x80"), std::string("\xf4\x90\x80\x80"), std::string("\xe2\x80"), std::string(1 << 20, 'x'), zeros, std::string("\x1b[31m\n\r"), std::string("___&&&"), std::string("...")}) {
        add("push button", text, {10, 10, 80, 20}, static_cast<int>(elements.size()));      // its own parent
        add(text, "Save", {-2147483647, -2147483647, 2147483647, 2147483647}, 1 << 30);
        add("entry", text, {2147483647, 5, 2147483647, -5}, -7);
        EXPECT_FALSE(find({.label_utf8 = text + "no"})) << text.size();
        const auto found = find({.id = text, .role = text, .label_utf8 = text, .text_utf8 = text, .near = Neighbour{.text_utf8 = text, .picture = {}}});
        if (!found) {
            for (const char c : found.error().message) {
                EXPECT_TRUE(c == '\n' || static_cast<unsigned char>(c) >= ' ') << "a control character in a message";
            }
        }
    }
}

TEST(TargetQuery, IsDescribedInOneLine) {
    EXPECT_EQ(describe({.role = "button", .label_utf8 = "Save", .near = Neighbour{.text_utf8 = "Name", .picture = {}, .side = Side::Below}}), "button \"Save\" below \"Name\"");
    EXPECT_EQ(describe({.text_utf8 = "a\nb", .index = 2}), "\"a b\" number 2");
    EXPECT_EQ(describe({.at = Point{3, 4}}), "the place 3,4");
    EXPECT_EQ(describe({}), "nothing");
}

} // namespace
} // namespace handeye
