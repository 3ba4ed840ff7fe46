// One GStreamer pipeline between two ends of ours: buffers in, samples out, each pipeline a thread
// of its own. Every decoder, scaler and encoder of the engine is one, so that what fails fails
// alone. push() and finish() are of one thread; `out` is called on a thread of the pipeline and may
// block, which holds it back.
#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <mutex>

#include "server/base/bytes.hpp"
#include "transcoder/gstreamer/gst.hpp"

namespace kapok::gstreamer {

// A bin of `text`, in the language of gst-launch-1.0, with the ghost pads `in` and `out`: open pads
// of the elements that are called in and out, else the first open ones. Errors: config.
Result<ElementPtr> make_bin(const std::string& text);

class Pipe {
 public:
  using OnSample = std::function<void(GstSample&)>;
  // How many bytes at the front of a buffer are to be left out.
  using Skip = std::size_t (*)(ByteSpan);
  struct Setup {
    std::string text;        // for make_bin()
    std::string after;       // likewise, behind it; may be empty
    CapsPtr in;              // of what is pushed
    CapsPtr out;             // what may come out
    std::size_t queued = 2;  // buffers that wait before push() does
    Skip skip = nullptr;     // of what comes out of `text`; null: nothing
  };

  static Result<std::unique_ptr<Pipe>> open(Setup setup, OnSample out);
  // How often an element complained of what it was given and went on.
  std::uint64_t warnings() const { return warnings_; }
  ~Pipe();
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;

  // Errors: what an element said when it failed; then nothing more comes out.
  Result<void> push(BufferPtr buffer);
  // The buffer of this time, pushed afterwards, shall be a key frame that begins a closed GOP.
  void force_key_unit(std::chrono::nanoseconds at);
  Result<void> finish();  // nothing follows; returns when all has come out

 private:
  Pipe() = default;
  static GstBusSyncReply heard(GstBus* bus, GstMessage* message, gpointer self);
  Result<void> failure() const;
  void fail_with(std::string text);

  BusPtr bus_;
  ElementPtr pipeline_;
  GstElement* source_ = nullptr;  // in pipeline_
  OnSample out_;
  // A mutex: elements speak from their own threads.
  std::atomic<std::uint64_t> warnings_{0};
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::string error_;
  bool ended_ = false;
};

}  // namespace kapok::gstreamer
