// A device that libav has opened, shared by the decoder, the filters and the encoders of one
// engine. It closes with its last holder.
#pragma once

#include <memory>
#include <mutex>
#include <string>

#include "transcoder/ffmpeg/device_row.hpp"

namespace kapok::ffmpeg {

class HwDevice {
 public:
  // `address`: what libav opens it by: "1" for a GPU of CUDA or Vulkan, a render node's path.
  // Errors: unsupported.
  static Result<std::shared_ptr<HwDevice>> open(const DeviceRow& row, const std::string& address);
  ~HwDevice() { av_buffer_unref(&context_); }
  HwDevice(const HwDevice&) = delete;
  HwDevice& operator=(const HwDevice&) = delete;

  const DeviceRow& row() const { return row_; }
  AVBufferRef* context() const { return context_; }  // whoever keeps it makes a reference
  // Held while frames are moved or filtered, where the row says one thread.
  std::unique_lock<std::mutex> lock();

 private:
  HwDevice(const DeviceRow& row, AVBufferRef* context) : row_(row), context_(context) {}

  const DeviceRow& row_;
  AVBufferRef* context_;
  // A mutex: the stages that share the device are threads that block in it.
  std::mutex mutex_;
};

// How many frames beyond its own needs a pool on a device must hold, so that what waits in the
// queues behind (PictureQueue) and inside an encoder never empties it.
int extra_frames(std::size_t frame_bytes);

// The picture in memory: itself, or a copy of what is on a device. For whoever looks at pixels.
Result<FramePtr> in_memory(const AVFrame& frame);

}  // namespace kapok::ffmpeg
