#include "tests/conformance/gstreamer_demuxer.hpp"

#include <gst/gst.h>

#include <memory>
#include <mutex>
#include <utility>

namespace kapok::conformance {

namespace {

constexpr GstClockTime kPatience = 60 * GST_SECOND;

// Streaming threads complain here.
class Complaints {
 public:
  void add(const std::string& text) {
    const std::lock_guard lock(mutex_);
    text_ += text + "\n";
  }
  std::string take() {
    const std::lock_guard lock(mutex_);
    return std::exchange(text_, {});
  }

 private:
  std::mutex mutex_;
  std::string text_;
};

Complaints& complaints() {
  static Complaints all;
  return all;
}

void on_log(GstDebugCategory* category, GstDebugLevel level, const gchar*, const gchar*, gint,
            GObject*, GstDebugMessage* message, gpointer) {
  if (level <= GST_LEVEL_WARNING)
    complaints().add(std::string(gst_debug_category_get_name(category)) + ": " +
                     gst_debug_message_get(message));
}

// gst-launch links the pads of the first program map only; a later one brings others, and the
// demultiplexer ends where nobody takes any of them.
void on_pad(GstElement*, GstPad* pad, gpointer pipeline) {
  GstElement* const sink = gst_element_factory_make("fakesink", nullptr);
  g_object_set(sink, "sync", FALSE, "async", FALSE, nullptr);
  gst_bin_add(GST_BIN(pipeline), sink);
  gst_element_sync_state_with_parent(sink);
  GstPad* const into = gst_element_get_static_pad(sink, "sink");
  if (gst_pad_link(pad, into) != GST_PAD_LINK_OK) complaints().add("a pad cannot be linked");
  gst_object_unref(into);
}

void start() {
  static const bool once = [] {
    gst_debug_remove_log_function(gst_debug_log_default);
    gst_init(nullptr, nullptr);
    gst_debug_set_threshold_from_string("mpegtsbase:2,tsdemux:2,mpegtspacketizer:2", TRUE);
    gst_debug_add_log_function(on_log, nullptr, nullptr);
    return true;
  }();
  (void)once;
}

struct Unref {
  void operator()(gpointer object) const { gst_object_unref(object); }
};

}  // namespace

std::string gstreamer_says(const std::filesystem::path& transport_stream) {
  start();
  complaints().take();
  const std::unique_ptr<GstElement, Unref> pipeline(gst_pipeline_new(nullptr));
  GstElement* const source = gst_element_factory_make("filesrc", nullptr);
  GstElement* const demuxer = gst_element_factory_make("tsdemux", nullptr);
  if (source == nullptr || demuxer == nullptr)
    return "no filesrc or tsdemux: install gstreamer1.0-plugins-bad";
  g_object_set(source, "location", transport_stream.c_str(), nullptr);
  gst_bin_add_many(GST_BIN(pipeline.get()), source, demuxer, nullptr);
  gst_element_link(source, demuxer);
  g_signal_connect(demuxer, "pad-added", G_CALLBACK(on_pad), pipeline.get());
  gst_element_set_state(pipeline.get(), GST_STATE_PLAYING);
  const std::unique_ptr<GstBus, Unref> bus(gst_element_get_bus(pipeline.get()));
  GstMessage* const end = gst_bus_timed_pop_filtered(
      bus.get(), kPatience, static_cast<GstMessageType>(GST_MESSAGE_EOS | GST_MESSAGE_ERROR));
  if (end == nullptr) complaints().add("no end within a minute");
  if (end != nullptr && GST_MESSAGE_TYPE(end) == GST_MESSAGE_ERROR) {
    GError* error = nullptr;
    gst_message_parse_error(end, &error, nullptr);
    complaints().add(error->message);
    g_error_free(error);
  }
  if (end != nullptr) gst_message_unref(end);
  gst_element_set_state(pipeline.get(), GST_STATE_NULL);
  return complaints().take();
}

}  // namespace kapok::conformance
