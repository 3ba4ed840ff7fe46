// GStreamer's objects with owners, and its beginning: gst_init() once in a process, with the
// plugins that the engine knows of loaded from their files. No registry is read or written and
// nothing is scanned, so that a worker starts in a moment, needs no home, and starts no other
// program.
#pragma once

#include <gst/gst.h>

#include <memory>
#include <optional>
#include <string>

#include "server/base/bytes.hpp"
#include "server/base/result.hpp"
#include "server/media/time.hpp"

namespace kapok::gstreamer {

struct Deleter {
  void operator()(GstElement* element) const { gst_object_unref(element); }
  void operator()(GstPad* pad) const { gst_object_unref(pad); }
  void operator()(GstBus* bus) const { gst_object_unref(bus); }
  void operator()(GstElementFactory* factory) const { gst_object_unref(factory); }
  void operator()(GstCaps* caps) const { gst_caps_unref(caps); }
  void operator()(GstBuffer* buffer) const { gst_buffer_unref(buffer); }
  void operator()(GstSample* sample) const { gst_sample_unref(sample); }
  void operator()(GError* error) const { g_error_free(error); }
};
using ElementPtr = std::unique_ptr<GstElement, Deleter>;
using PadPtr = std::unique_ptr<GstPad, Deleter>;
using BusPtr = std::unique_ptr<GstBus, Deleter>;
using FactoryPtr = std::unique_ptr<GstElementFactory, Deleter>;
using CapsPtr = std::unique_ptr<GstCaps, Deleter>;
using BufferPtr = std::unique_ptr<GstBuffer, Deleter>;
using SamplePtr = std::unique_ptr<GstSample, Deleter>;
using ErrorPtr = std::unique_ptr<GError, Deleter>;

void initialise();
// What every installed plugin has, for elements that only an operator knows of. GStreamer's own
// scanner looks, in a process of its own (some plugins start threads as soon as they are loaded);
// here a plugin is loaded with the first element of its. Takes a second.
void list_all_plugins();
bool has_element(const std::string& name);

CapsPtr caps_of(const std::string& text);  // our own text
// A buffer that reads `bytes`, held by `owner`.
BufferPtr wrap(ByteSpan bytes, std::shared_ptr<const void> owner);

// Times as GStreamer counts them: nanoseconds from a beginning, never negative. A picture may come
// before the first one by as much as codecs reorder. Encoders move what is before 1000 hours there
// and then take the next request for a key frame for one of the past [GstVideoEncoder 1.22, which
// compares a moved time with one that was not]: so the beginning is behind that.
struct Times {
  static constexpr std::chrono::nanoseconds kOrigin = std::chrono::hours(1001);
  media::Ticks base;
  media::Timescale timescale = 1;

  std::chrono::nanoseconds at(media::Ticks ticks) const {
    return kOrigin + media::to_nanoseconds(ticks - base, timescale);
  }
  media::Ticks ticks(std::chrono::nanoseconds at) const {
    return base + media::from_nanoseconds(at - kOrigin, timescale);
  }
};
// Of a buffer that left a pipeline; nullopt if it has none.
std::optional<std::chrono::nanoseconds> running_time(GstSample& sample, GstClockTime time);

}  // namespace kapok::gstreamer
