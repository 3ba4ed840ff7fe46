#include "transcoder/gstreamer/pipe.hpp"

#include <gst/app/gstappsink.h>
#include <gst/app/gstappsrc.h>
#include <gst/video/video.h>

#include <utility>

namespace kapok::gstreamer {

namespace {

PadPtr open_pad(GstBin& bin, const char* element, GstPadDirection direction) {
  const ElementPtr named(gst_bin_get_by_name(&bin, element));
  if (!named) return PadPtr(gst_bin_find_unlinked_pad(&bin, direction));
  PadPtr found;
  GstIterator* pads = gst_element_iterate_pads(named.get());
  GValue item = G_VALUE_INIT;
  while (!found && gst_iterator_next(pads, &item) == GST_ITERATOR_OK) {
    auto* pad = GST_PAD(g_value_get_object(&item));
    if (gst_pad_get_direction(pad) == direction && !gst_pad_is_linked(pad))
      found.reset(GST_PAD(gst_object_ref(pad)));
    g_value_reset(&item);
  }
  g_value_unset(&item);
  gst_iterator_free(pads);
  return found;
}

Result<void> add_ghost(GstElement& bin, const char* name, GstPadDirection direction) {
  const PadPtr pad = open_pad(*GST_BIN(&bin), name, direction);
  if (!pad)
    return fail(Errc::config, "no element has an open {} pad for \"{}\"",
                direction == GST_PAD_SINK ? "sink" : "source", name);
  if (!gst_element_add_pad(&bin, gst_ghost_pad_new(name, pad.get())))
    return fail(Errc::config, "the pad \"{}\" is there twice", name);
  return {};
}

GstPadProbeReturn leave_out(GstPad*, GstPadProbeInfo* info, gpointer skip) {
  GstBuffer* buffer = GST_PAD_PROBE_INFO_BUFFER(info);
  GstMapInfo map;
  if (!gst_buffer_map(buffer, &map, GST_MAP_READ)) return GST_PAD_PROBE_OK;
  const std::size_t bytes = reinterpret_cast<Pipe::Skip>(skip)(as_bytes(map.data, map.size));
  gst_buffer_unmap(buffer, &map);
  if (bytes == 0) return GST_PAD_PROBE_OK;
  buffer = gst_buffer_make_writable(buffer);
  gst_buffer_resize(buffer, static_cast<gssize>(bytes), -1);
  GST_PAD_PROBE_INFO_DATA(info) = buffer;
  return GST_PAD_PROBE_OK;
}

std::string text_of(const GError* error) {
  return error == nullptr ? "no reason given" : error->message;
}

}  // namespace

Result<ElementPtr> make_bin(const std::string& text) {
  GError* raw = nullptr;
  GstElement* made = gst_parse_bin_from_description_full(text.c_str(), FALSE, nullptr,
                                                         GST_PARSE_FLAG_FATAL_ERRORS, &raw);
  const ErrorPtr error(raw);
  if (made == nullptr) return fail(Errc::config, "{}", text_of(error.get()));
  ElementPtr bin(GST_ELEMENT(gst_object_ref_sink(made)));
  // Even a warning is a property or a link that the text asked for and that there is not.
  if (error) return fail(Errc::config, "{}", text_of(error.get()));
  KAPOK_TRY(add_ghost(*bin, "in", GST_PAD_SINK));
  KAPOK_TRY(add_ghost(*bin, "out", GST_PAD_SRC));
  return bin;
}

Result<std::unique_ptr<Pipe>> Pipe::open(Setup setup, OnSample out) {
  std::unique_ptr<Pipe> made(new Pipe());
  made->out_ = std::move(out);
  ElementPtr body = KAPOK_TRY(make_bin(setup.text));
  ElementPtr after;
  if (!setup.after.empty()) after = KAPOK_TRY(make_bin(setup.after));
  // A bin with a bus of its own, where a GstPipeline would make one that polls: for that the
  // sandbox has no descriptor left. No clock either: samples come out as they are made.
  made->pipeline_.reset(GST_ELEMENT(gst_object_ref_sink(gst_bin_new(nullptr))));
  GstElement* pipeline = made->pipeline_.get();
  made->source_ = gst_element_factory_make("appsrc", nullptr);
  GstElement* sink = gst_element_factory_make("appsink", nullptr);
  if (made->source_ == nullptr || sink == nullptr)
    return fail(Errc::unsupported, "appsrc and appsink are not installed");
  g_object_set(made->source_, "caps", setup.in.get(), "format", GST_FORMAT_TIME, "block", TRUE,
               "max-bytes", guint64{0}, "max-buffers", guint64{setup.queued}, nullptr);
  g_object_set(sink, "sync", FALSE, "async", FALSE, "caps", setup.out.get(), nullptr);
  gst_bin_add_many(GST_BIN(pipeline), made->source_, sink, nullptr);
  if (setup.skip != nullptr) {
    const PadPtr end(gst_element_get_static_pad(body.get(), "out"));
    gst_pad_add_probe(end.get(), GST_PAD_PROBE_TYPE_BUFFER, leave_out,
                      reinterpret_cast<gpointer>(setup.skip), nullptr);
  }
  GstElement* last = made->source_;
  const char* pad = "src";
  for (const ElementPtr* bin : {&body, &after}) {
    if (!*bin) continue;
    gst_bin_add(GST_BIN(pipeline), GST_ELEMENT(gst_object_ref(bin->get())));
    if (!gst_element_link_pads(last, pad, bin->get(), "in"))
      return fail(Errc::config, "{}",
                  last == made->source_ ? "its input does not take these pictures"
                                        : "its output is not what the rung's codec is");
    last = bin->get();
    pad = "out";
  }
  if (!gst_element_link_pads(last, pad, sink, "sink"))
    return fail(Errc::config, "its output is not what is asked for");

  GstAppSinkCallbacks callbacks{};
  callbacks.new_sample = [](GstAppSink* from, gpointer self) {
    const SamplePtr sample(gst_app_sink_pull_sample(from));
    if (sample) static_cast<Pipe*>(self)->out_(*sample);
    return GST_FLOW_OK;
  };
  callbacks.eos = [](GstAppSink*, gpointer self) {
    auto& pipe = *static_cast<Pipe*>(self);
    const std::lock_guard lock(pipe.mutex_);
    pipe.ended_ = true;
    pipe.changed_.notify_all();
  };
  gst_app_sink_set_callbacks(GST_APP_SINK(sink), &callbacks, made.get(), nullptr);
  made->bus_.reset(GST_BUS(g_object_new(GST_TYPE_BUS, "enable-async", FALSE, nullptr)));
  gst_bus_set_sync_handler(made->bus_.get(), &Pipe::heard, made.get(), nullptr);
  gst_element_set_bus(pipeline, made->bus_.get());
  if (gst_element_set_state(pipeline, GST_STATE_PLAYING) == GST_STATE_CHANGE_FAILURE) {
    KAPOK_TRY(made->failure());
    return fail(Errc::unsupported, "it does not start");
  }
  return made;
}

Pipe::~Pipe() {
  if (!pipeline_) return;
  gst_element_set_state(pipeline_.get(), GST_STATE_NULL);
  gst_element_set_bus(pipeline_.get(), nullptr);
}

GstBusSyncReply Pipe::heard(GstBus*, GstMessage* message, gpointer self) {
  if (GST_MESSAGE_TYPE(message) == GST_MESSAGE_ERROR) {
    GError* raw = nullptr;
    gchar* more = nullptr;
    gst_message_parse_error(message, &raw, &more);
    const ErrorPtr error(raw);
    // The last line of its details is what the library below said.
    std::string detail = more == nullptr ? "" : more;
    g_free(more);
    if (const auto line = detail.find_last_of('\n'); line != std::string::npos)
      detail = " (" + detail.substr(line + 1) + ")";
    else
      detail.clear();
    const std::string name = GST_MESSAGE_SRC_NAME(message);
    static_cast<Pipe*>(self)->fail_with(
        fmt::format("{}: {}{}", name, text_of(error.get()), detail));
  }
  if (GST_MESSAGE_TYPE(message) == GST_MESSAGE_WARNING) ++static_cast<Pipe*>(self)->warnings_;
  gst_message_unref(message);
  return GST_BUS_DROP;
}

void Pipe::fail_with(std::string text) {
  {
    const std::lock_guard lock(mutex_);
    if (error_.empty()) error_ = std::move(text);
    ended_ = true;
    changed_.notify_all();
  }
  // Wakes who waits in push().
  gst_app_src_end_of_stream(GST_APP_SRC(source_));
}

Result<void> Pipe::failure() const {
  const std::lock_guard lock(mutex_);
  if (!error_.empty()) return fail(Errc::internal, "{}", error_);
  return {};
}

Result<void> Pipe::push(BufferPtr buffer) {
  if (gst_app_src_push_buffer(GST_APP_SRC(source_), buffer.release()) == GST_FLOW_OK) return {};
  KAPOK_TRY(failure());
  return fail(Errc::internal, "the pipeline has ended");
}

void Pipe::force_key_unit(std::chrono::nanoseconds at) {
  const auto time = static_cast<GstClockTime>(at.count());
  gst_element_send_event(source_,
                         gst_video_event_new_downstream_force_key_unit(time, time, time, TRUE, 0));
}

Result<void> Pipe::finish() {
  gst_app_src_end_of_stream(GST_APP_SRC(source_));
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return ended_; });
  lock.unlock();
  return failure();
}

}  // namespace kapok::gstreamer
