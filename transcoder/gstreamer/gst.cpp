#include "transcoder/gstreamer/gst.hpp"

#include <algorithm>
#include <cassert>
#include <cstdlib>
#include <filesystem>
#include <mutex>
#include <string_view>
#include <utility>

namespace kapok::gstreamer {

namespace {

// Those of the elements that elements.cpp names, and of the plumbing between them.
constexpr const char* kPlugins[] = {"coreelements",
                                    "app",
                                    "videoparsersbad",
                                    "videoconvertscale",
                                    "libav",
                                    "x264",
                                    "x265",
                                    "aom",
                                    "nvcodec",
                                    "va",
                                    "qsv"};

std::string folder() {
  const char* other = std::getenv("GST_PLUGIN_SYSTEM_PATH_1_0");  // NOLINT(concurrency-mt-unsafe)
  return other != nullptr && *other != '\0' ? other : KAPOK_GSTREAMER_PLUGINS;
}

void load(const std::filesystem::path& file) {
  std::error_code ignored;
  if (!std::filesystem::exists(file, ignored)) return;
  GError* error = nullptr;
  // One that does not load (a library of a GPU's driver is missing) has no elements: that is told
  // where they are looked for.
  if (GstPlugin* plugin = gst_plugin_load_file(file.c_str(), &error)) gst_object_unref(plugin);
  if (error != nullptr) g_error_free(error);
}

}  // namespace

void initialise() {
  static std::once_flag once;
  std::call_once(once, [] {
    const std::string plugins = folder();
    // NOLINTBEGIN(concurrency-mt-unsafe): before any of its threads
    ::setenv("GST_REGISTRY_DISABLE", "yes", 1);
    ::setenv("GST_PLUGIN_SYSTEM_PATH_1_0", "", 1);
    // NOLINTEND(concurrency-mt-unsafe)
    gst_registry_fork_set_enabled(FALSE);
    gst_init(nullptr, nullptr);
    for (const char* name : kPlugins)
      load(std::filesystem::path(plugins) / fmt::format("libgst{}.so", name));
    ::setenv("GST_PLUGIN_SYSTEM_PATH_1_0", plugins.c_str(), 1);  // NOLINT(concurrency-mt-unsafe)
  });
}

void list_all_plugins() {
  initialise();
  gst_registry_fork_set_enabled(TRUE);
  GstRegistry* registry = gst_registry_get();
  gst_registry_scan_path(registry, folder().c_str());
  const char* more = std::getenv("GST_PLUGIN_PATH");  // NOLINT(concurrency-mt-unsafe)
  std::string_view paths = more == nullptr ? "" : more;
  while (!paths.empty()) {
    const std::size_t end = std::min(paths.find(':'), paths.size());
    if (end != 0) gst_registry_scan_path(registry, std::string(paths.substr(0, end)).c_str());
    paths.remove_prefix(std::min(end + 1, paths.size()));
  }
  gst_registry_fork_set_enabled(FALSE);
}

bool has_element(const std::string& name) {
  return FactoryPtr(gst_element_factory_find(name.c_str())) != nullptr;
}

CapsPtr caps_of(const std::string& text) {
  CapsPtr caps(gst_caps_from_string(text.c_str()));
  assert(caps != nullptr);
  return caps;
}

BufferPtr wrap(ByteSpan bytes, std::shared_ptr<const void> owner) {
  auto held = std::make_unique<std::shared_ptr<const void>>(std::move(owner));
  const auto release = [](gpointer pointer) {
    delete static_cast<std::shared_ptr<const void>*>(pointer);
  };
  // Elements copy before they write to what is read-only.
  return BufferPtr(gst_buffer_new_wrapped_full(GST_MEMORY_FLAG_READONLY,
                                               const_cast<std::byte*>(bytes.data()), bytes.size(),
                                               0, bytes.size(), held.release(), release));
}

std::optional<std::chrono::nanoseconds> running_time(GstSample& sample, GstClockTime time) {
  if (!GST_CLOCK_TIME_IS_VALID(time)) return std::nullopt;
  guint64 running = 0;
  const int sign = gst_segment_to_running_time_full(gst_sample_get_segment(&sample),
                                                    GST_FORMAT_TIME, time, &running);
  if (sign == 0) return std::nullopt;
  return std::chrono::nanoseconds(static_cast<std::int64_t>(running) * sign);
}

}  // namespace kapok::gstreamer
