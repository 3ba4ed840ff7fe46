#include "transcoder/gstreamer/picture.hpp"

#include <gst/video/video.h>

namespace kapok::gstreamer {

namespace {

// "range:matrix:transfer:primaries", which GStreamer reads as well as its own names.
std::string colorimetry_of(const media::Colour& colour) {
  constexpr std::uint8_t kUnknown = 2;
  if (colour.primaries == kUnknown && colour.transfer == kUnknown && colour.matrix == kUnknown)
    return {};
  const GstVideoColorimetry colorimetry{
      .range = colour.full_range ? GST_VIDEO_COLOR_RANGE_0_255 : GST_VIDEO_COLOR_RANGE_16_235,
      .matrix = gst_video_color_matrix_from_iso(colour.matrix),
      .transfer = gst_video_transfer_function_from_iso(colour.transfer),
      .primaries = gst_video_color_primaries_from_iso(colour.primaries)};
  gchar* text = gst_video_colorimetry_to_string(&colorimetry);
  std::string made = text == nullptr ? "" : text;
  g_free(text);
  return made;
}

media::Colour colour_of(const GstVideoColorimetry& colorimetry) {
  return {.primaries =
              static_cast<std::uint8_t>(gst_video_color_primaries_to_iso(colorimetry.primaries)),
          .transfer =
              static_cast<std::uint8_t>(gst_video_transfer_function_to_iso(colorimetry.transfer)),
          .matrix = static_cast<std::uint8_t>(gst_video_color_matrix_to_iso(colorimetry.matrix)),
          .full_range = colorimetry.range == GST_VIDEO_COLOR_RANGE_0_255};
}

}  // namespace

std::size_t bytes_of(const Picture& picture) {
  return gst_buffer_get_size(picture.buffer.get());
}

Picture share(const Picture& picture) {
  return {BufferPtr(gst_buffer_ref(picture.buffer.get())), picture.mark};
}

media::VideoFacts facts_of(const GstCaps& caps, const media::VideoFacts& track) {
  media::VideoFacts facts = track;
  GstVideoInfo info;
  if (!gst_video_info_from_caps(&info, &caps)) return facts;
  facts.width = static_cast<std::uint32_t>(GST_VIDEO_INFO_WIDTH(&info));
  facts.height = static_cast<std::uint32_t>(GST_VIDEO_INFO_HEIGHT(&info));
  facts.bit_depth = static_cast<std::uint8_t>(GST_VIDEO_INFO_COMP_DEPTH(&info, 0));
  if (GST_VIDEO_INFO_N_COMPONENTS(&info) > 1) {
    const auto* format = info.finfo;
    facts.chroma_format = GST_VIDEO_FORMAT_INFO_W_SUB(format, 1) == 0   ? 3
                          : GST_VIDEO_FORMAT_INFO_H_SUB(format, 1) == 0 ? 2
                                                                        : 1;
  }
  const GstStructure* fields = gst_caps_get_structure(&caps, 0);
  if (gst_structure_has_field(fields, "pixel-aspect-ratio"))
    facts.sample_aspect = {static_cast<std::uint32_t>(GST_VIDEO_INFO_PAR_N(&info)),
                           static_cast<std::uint32_t>(GST_VIDEO_INFO_PAR_D(&info))};
  if (gst_structure_has_field(fields, "colorimetry")) {
    const media::Colour said = colour_of(info.colorimetry);
    const auto complete = [](std::uint8_t& mine, std::uint8_t other) {
      constexpr std::uint8_t kUnknown = 2;
      if (mine == kUnknown) mine = other;
    };
    complete(facts.colour.primaries, said.primaries);
    complete(facts.colour.transfer, said.transfer);
    complete(facts.colour.matrix, said.matrix);
    facts.colour.full_range = said.full_range;
  }
  facts.interlaced = GST_VIDEO_INFO_IS_INTERLACED(&info);
  return facts;
}

CapsPtr raw_caps(const media::VideoFacts& facts, std::string_view format) {
  const auto number = [](std::uint32_t value) { return static_cast<int>(value); };
  CapsPtr caps(gst_caps_new_simple(
      "video/x-raw", "format", G_TYPE_STRING, std::string(format).c_str(), "width", G_TYPE_INT,
      number(facts.width), "height", G_TYPE_INT, number(facts.height), "framerate",
      GST_TYPE_FRACTION, number(facts.frame_rate.numerator), number(facts.frame_rate.denominator),
      "pixel-aspect-ratio", GST_TYPE_FRACTION, number(facts.sample_aspect.numerator),
      number(facts.sample_aspect.denominator), nullptr));
  if (const std::string colorimetry = colorimetry_of(facts.colour); !colorimetry.empty())
    gst_caps_set_simple(caps.get(), "colorimetry", G_TYPE_STRING, colorimetry.c_str(), nullptr);
  if (facts.interlaced)
    gst_caps_set_simple(caps.get(), "interlace-mode", G_TYPE_STRING, "mixed", nullptr);
  return caps;
}

std::string_view format_of(std::uint8_t bit_depth) {
  return bit_depth == 10 ? "I420_10LE" : "I420";
}

}  // namespace kapok::gstreamer
