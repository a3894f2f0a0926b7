// SPDX-License-Identifier: Apache-2.0
// Packages and the names that people and models call them by. The names are those of the GLM mobile action space and AndroidWorld.
#include "platforms/android/apps.h"

#include <algorithm>
#include <iterator>

namespace handeye::android {
namespace {

struct Row {
    std::string_view package;
    std::string_view label;
};
constexpr Row kRows[] = {
    {"com.android.chrome", "Google Chrome"}, {"com.google.android.apps.dynamite", "Google Chat"}, {"com.android.settings", "Settings"},
    {"com.google.android.youtube", "YouTube"}, {"com.android.vending", "Google Play"}, {"com.google.android.gm", "Gmail"},
    {"com.google.android.apps.maps", "Google Maps"}, {"com.google.android.apps.photos", "Google Photos"},
    {"com.google.android.calendar", "Google Calendar"}, {"com.android.camera2", "Camera"}, {"com.android.camera", "Camera"},
    {"com.google.android.GoogleCamera", "Camera"}, {"com.dimowner.audiorecorder", "Audio Recorder"},
    {"com.google.android.apps.docs", "Google Drive"}, {"com.google.android.keep", "Google Keep"}, {"com.grubhub.android", "Grubhub"},
    {"com.tripadvisor.tripadvisor", "Tripadvisor"}, {"com.starbucks.mobilecard", "Starbucks"},
    {"com.google.android.apps.docs.editors.docs", "Google Docs"}, {"com.google.android.apps.docs.editors.sheets", "Google Sheets"},
    {"com.google.android.apps.docs.editors.slides", "Google Slides"}, {"com.google.android.deskclock", "Clock"},
    {"com.android.deskclock", "Clock"}, {"com.google.android.googlequicksearchbox", "Google Search"},
    {"com.google.android.contacts", "Contacts"}, {"com.android.contacts", "Contacts"}, {"com.facebook.katana", "Facebook"},
    {"com.whatsapp", "WhatsApp"}, {"com.instagram.android", "Instagram"}, {"com.twitter.android", "Twitter"},
    {"com.snapchat.android", "Snapchat"}, {"org.telegram.messenger", "Telegram"}, {"com.linkedin.android", "LinkedIn"},
    {"com.spotify.music", "Spotify"}, {"com.netflix.mediaclient", "Netflix"}, {"com.amazon.mShop.android.shopping", "Amazon Shopping"},
    {"com.zhiliaoapp.musically", "TikTok"}, {"com.discord", "Discord"}, {"com.reddit.frontpage", "Reddit"}, {"com.pinterest", "Pinterest"},
    {"com.google.android.documentsui", "Files"}, {"com.android.documentsui", "Files"}, {"com.google.android.apps.nbu.files", "Files by Google"},
    {"net.gsantner.markor", "Markor"}, {"ca.zgrs.clipper", "Clipper"}, {"com.google.android.apps.messaging", "Messages"},
    {"com.android.messaging", "Messages"}, {"com.simplemobiletools.smsmessenger", "Simple SMS Messenger"},
    {"com.google.android.dialer", "Dialer"}, {"com.android.dialer", "Dialer"}, {"com.simplemobiletools.calendar.pro", "Simple Calendar Pro"},
    {"com.simplemobiletools.gallery.pro", "Simple Gallery Pro"}, {"com.google.androidenv.miniwob", "Miniwob"},
    {"com.simplemobiletools.draw.pro", "Simple Draw Pro"}, {"com.arduia.expense", "Pro Expense"}, {"com.flauschcode.broccoli", "Broccoli"},
    {"net.osmand", "OsmAnd"}, {"org.tasks", "Tasks"}, {"de.dennisguse.opentracks", "Open Tracks Sports Tracker"},
    {"net.cozic.joplin", "Joplin"}, {"org.videolan.vlc", "VLC"}, {"code.name.monkey.retromusic", "Retro Music"},
    {"com.android.calculator2", "Calculator"}, {"com.google.android.calculator", "Calculator"}, {"com.tencent.mm", "WeChat"},
    {"com.eg.android.AlipayGphone", "Alipay"}, {"com.taobao.taobao", "Taobao"}, {"com.sankuai.meituan", "Meituan"},
    {"com.xingin.xhs", "Xiaohongshu"}, {"com.ss.android.ugc.aweme", "Douyin"}, {"tv.danmaku.bili", "Bilibili"},
    {"com.autonavi.minimap", "Amap"}, {"com.jingdong.app.mall", "JD"}, {"com.tencent.mobileqq", "QQ"}, {"com.sina.weibo", "Weibo"},
};

} // namespace

std::string_view known_label(std::string_view package) {
    const auto* const row = std::ranges::find(kRows, package, &Row::package);
    return row == std::end(kRows) ? std::string_view() : row->label;
}

} // namespace handeye::android
