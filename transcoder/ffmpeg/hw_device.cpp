#include "transcoder/ffmpeg/hw_device.hpp"

#include <algorithm>

#include "transcoder/ladder/picture_queue.hpp"

namespace kapok::ffmpeg {

namespace {

// What encoders of devices hold at most: reordering, and some depth of parallel work.
constexpr std::size_t kInsideEncoder = 8;

}  // namespace

Result<std::shared_ptr<HwDevice>> HwDevice::open(const DeviceRow& row, const std::string& address) {
  AVBufferRef* context = nullptr;
  Options options;
  // QSV sits on a render node's VAAPI device.
  const bool child = row.type == AV_HWDEVICE_TYPE_QSV;
  if (child) options.set("child_device", address);
  const int code = av_hwdevice_ctx_create(&context, row.type, child ? nullptr : address.c_str(),
                                          *options.get(), 0);
  if (code < 0) {
    Error error = av_error(code, fmt::format("{} does not open", address));
    return fail(Errc::unsupported, "{}", error.message);
  }
  return std::shared_ptr<HwDevice>(new HwDevice(row, context));
}

std::unique_lock<std::mutex> HwDevice::lock() {
  return row_.one_thread ? std::unique_lock(mutex_) : std::unique_lock<std::mutex>();
}

int extra_frames(std::size_t frame_bytes) {
  const std::size_t fit = ladder::kMaxQueuedPictureBytes / std::max<std::size_t>(1, frame_bytes);
  const std::size_t queued =
      std::clamp(fit, ladder::kPicturesAlwaysQueued, ladder::kMaxQueuedPictures);
  return static_cast<int>(queued + kInsideEncoder);
}

Result<FramePtr> in_memory(const AVFrame& frame) {
  if (!is_on_device(frame)) return share(frame);
  FramePtr copy = make_frame();
  int code = av_hwframe_transfer_data(copy.get(), &frame, 0);
  if (code >= 0) code = av_frame_copy_props(copy.get(), &frame);
  if (code < 0) return std::unexpected(av_error(code, "copy from the device"));
  return copy;
}

}  // namespace kapok::ffmpeg
