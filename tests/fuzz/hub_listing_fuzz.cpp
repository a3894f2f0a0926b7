// SPDX-License-Identifier: Apache-2.0
// Any bytes as what a hub answers or a user's registry holds: listings, revisions, links, configurations, GGUF beginnings.
#include "apps/models/hub_listing.h"
#include "apps/models/registry.h"
#include "apps/models/shape.h"

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <string_view>

namespace {

void require(bool holds) {
    if (!holds) {
        std::abort();
    }
}

// Whatever a listing says, what is fetched has a name of one component, and a path below the repository.
void check_listing(const handeye::Result<std::vector<handeye::HubFile>>& files, const handeye::Registry& registry) {
    if (!files) {
        return;
    }
    for (const handeye::HubFile& file : *files) {
        const std::filesystem::path path(file.path);
        require(path.is_relative() && path == path.lexically_normal() && *path.begin() != ".." && !file.path.empty());
    }
    for (const handeye::RegistryModel& model : registry.models) {
        for (const handeye::ModelSpec& spec : model.specs) {
            const auto chosen = handeye::choose_files(*files, {&model, &spec, spec.quantizations.front()});
            for (const handeye::PullFile& file : chosen ? *chosen : std::vector<handeye::PullFile>()) {
                require(std::filesystem::path(file.name).filename() == file.name && file.name != "." && file.name != "..");
            }
        }
    }
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace handeye;
    static const Registry registry = *parse_registry(bundled_registry_text(), "registry");
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    check_listing(parse_huggingface_tree(text), registry);
    check_listing(parse_modelscope_files(text), registry);
    (void)parse_huggingface_revision(text);
    const HttpUrl home = *parse_http_url("https://hub.example/x");
    for (const std::string& link : {next_page(text), std::string(text)}) {
        const auto led = redirected(home, link);
        require(!led || led->endpoint.is_tls);
    }
    (void)parse_registry(text, "fuzz");
    const ModelRow row{&registry.models.front(), &registry.models.front().specs.front(), "none"};
    for (const auto& shape : {shape_of_config(text), shape_of_gguf({data, size})}) {
        (void)(shape && check_shape(*shape, row, size));
    }
    return 0;
}
