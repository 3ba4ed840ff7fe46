#include "transcoder/ffmpeg/device_row.hpp"

#include <algorithm>

namespace kapok::ffmpeg {

namespace {

constexpr DeviceRow kRows[] = {
    {.kind = media::DeviceKind::nvidia,
     .type = AV_HWDEVICE_TYPE_CUDA,
     .frames = AV_PIX_FMT_CUDA,
     .memory_8 = AV_PIX_FMT_NV12,
     .memory_10 = AV_PIX_FMT_P010LE,
     .scale = "scale_cuda=w={w}:h={h}:interp_algo=bicubic:format={format}",
     .map = "",
     .deinterlace = "yadif_cuda=mode=send_frame:deint=interlaced",
     .to_limited_range = false,
     .avc = "h264_nvenc",
     .hevc = "hevc_nvenc",
     .av1 = "av1_nvenc",
     .one_thread = false},
    {.kind = media::DeviceKind::qsv,
     .type = AV_HWDEVICE_TYPE_QSV,
     .frames = AV_PIX_FMT_QSV,
     .memory_8 = AV_PIX_FMT_NV12,
     .memory_10 = AV_PIX_FMT_P010LE,
     .scale = "vpp_qsv=w={w}:h={h}:format={format}",
     .map = "",
     .deinterlace = "deinterlace_qsv=mode=advanced",
     .to_limited_range = false,
     .avc = "h264_qsv",
     .hevc = "hevc_qsv",
     .av1 = "av1_qsv",
     .one_thread = false},
    {.kind = media::DeviceKind::vaapi,
     .type = AV_HWDEVICE_TYPE_VAAPI,
     .frames = AV_PIX_FMT_VAAPI,
     .memory_8 = AV_PIX_FMT_NV12,
     .memory_10 = AV_PIX_FMT_P010LE,
     .scale = "scale_vaapi=w={w}:h={h}:mode=hq:format={format}:out_range=tv",
     .map = "scale_vaapi=w={w}:h={h}:mode=hq:format=p010,"
            "tonemap_vaapi=format={format}:p=bt709:t=bt709:m=bt709",
     .deinterlace = "deinterlace_vaapi=rate=frame:auto=1",
     .to_limited_range = true,
     .avc = "h264_vaapi",
     .hevc = "hevc_vaapi",
     .av1 = "av1_vaapi",
     .one_thread = false},
    // The shape of pixels stays: without normalize_sar=0 libplacebo would pad to square ones.
    {.kind = media::DeviceKind::vulkan,
     .type = AV_HWDEVICE_TYPE_VULKAN,
     .frames = AV_PIX_FMT_VULKAN,
     .memory_8 = AV_PIX_FMT_YUV420P,
     .memory_10 = AV_PIX_FMT_YUV420P10LE,
     .scale = "libplacebo=w={w}:h={h}:normalize_sar=0:format={format}:range=tv",
     .map = "libplacebo=w={w}:h={h}:normalize_sar=0:format={format}:range=tv:colorspace=bt709:"
            "color_primaries=bt709:color_trc=bt709:tonemapping=bt.2390",
     .deinterlace = "",
     .to_limited_range = true,
     .avc = "",
     .hevc = "",
     .av1 = "",
     .one_thread = true},
};

}  // namespace

const DeviceRow* row_of(media::DeviceKind kind) {
  const auto* row = std::ranges::find(kRows, kind, &DeviceRow::kind);
  return row == std::end(kRows) ? nullptr : row;
}

const char* encoder_name(const DeviceRow& row, media::Codec codec) {
  switch (codec) {
    case media::Codec::avc:
      return row.avc;
    case media::Codec::hevc:
      return row.hevc;
    case media::Codec::av1:
      return row.av1;
    default:
      return "";
  }
}

AVPixelFormat memory_format(const DeviceRow& row, unsigned bit_depth) {
  return bit_depth > 8 ? row.memory_10 : row.memory_8;
}

}  // namespace kapok::ffmpeg
