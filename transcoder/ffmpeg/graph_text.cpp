#include "transcoder/ffmpeg/graph_text.hpp"

#include <algorithm>
#include <array>

extern "C" {
#include <libavutil/pixdesc.h>
}

namespace kapok::ffmpeg {

namespace {

// HDR without primaries or matrix is BT.2020: there is no other [BT.2100].
std::string completed_colour(const media::VideoFacts& from) {
  const bool hdr = dynamic_range_of(from.colour) != media::DynamicRange::sdr;
  if (!hdr || (from.colour.primaries != 2 && from.colour.matrix != 2)) return {};
  return "setparams=color_primaries=bt2020:colorspace=bt2020nc";
}

// To SDR in BT.709 in memory. PQ's 100 cd/m2 becomes 1.0 of linear light, what `tonemap` takes for
// SDR's white; its peak is the mastering display's.
std::string map_in_memory(const media::VideoFacts& from) {
  if (dynamic_range_of(from.colour) != media::DynamicRange::sdr)
    return "zscale=t=linear:npl=100,format=gbrpf32le,zscale=p=bt709,tonemap=hable:desat=0,"
           "zscale=t=bt709:m=bt709:r=tv";
  return "zscale=p=bt709:t=bt709:m=bt709:r=tv";
}

// zimg's bicubic is swscale's with accurate rounding (70 dB apart) in half the time or less. It
// wants whole chroma samples in planes of their own, which no device has, and refuses matrices that
// it has no numbers for [ITU-T H.273 table 4].
bool zimg_scales(const media::VideoFacts& from, Place place) {
  constexpr std::array<std::uint8_t, 6> kMatrices{1, 2, 5, 6, 7, 9};
  return place == Place::memory && from.width % 2 == 0 && from.height % 2 == 0 &&
         std::ranges::find(kMatrices, from.colour.matrix) != kMatrices.end();
}

std::string scale_in_memory(const StepWork& work) {
  const ladder::PlannedPicture& to = work.to;
  if (!zimg_scales(work.from, work.step.in))
    return fmt::format("scale=w={}:h={}:flags=bicubic:out_range=tv", to.width, to.height);
  // Mapping of tones rounds later.
  const bool rounds = to.tones != ladder::Tones::bt709 && work.from.bit_depth > to.bit_depth;
  return fmt::format("zscale=w={}:h={}:f=bicubic:param_a=0:param_b=0.6:r=tv{}", to.width, to.height,
                     rounds ? ":d=ordered" : "");
}

class Text {
 public:
  explicit Text(const StepWork& work)
      : row_(work.row), place_(work.step.in), depth_(work.from.bit_depth) {}

  void add(std::string filter) {
    if (filter.empty()) return;
    if (!text_.empty()) text_ += ',';
    text_ += filter;
  }
  void move_to(Place place) {
    if (place == place_) return;
    add(place == Place::device ? fmt::format("format={},hwupload", on_device(depth_))
                               : fmt::format("hwdownload,format={}", on_device(depth_)));
    place_ = place;
  }
  // `filter` with {w}, {h} and {format} filled in.
  void add_on_device(const char* filter, const ladder::PlannedPicture& to, unsigned depth) {
    move_to(Place::device);
    add(fmt::format(fmt::runtime(filter), fmt::arg("w", to.width), fmt::arg("h", to.height),
                    fmt::arg("format", on_device(depth))));
    depth_ = depth;
  }
  void in_memory_as(unsigned depth) {
    move_to(Place::memory);
    add(fmt::format("format={}", depth > 8 ? "yuv420p10le" : "yuv420p"));
    depth_ = depth;
  }
  Place place() const { return place_; }
  unsigned depth() const { return depth_; }
  const std::string& text() const { return text_; }

 private:
  std::string on_device(unsigned depth) const {
    return av_get_pix_fmt_name(memory_format(*row_, depth));
  }

  const DeviceRow* row_;
  Place place_;
  unsigned depth_;
  std::string text_;
};

void scale_and_map(Text& text, const StepWork& work) {
  const Step& step = work.step;
  const ladder::PlannedPicture& to = work.to;
  const bool maps = to.tones == ladder::Tones::bt709;
  text.move_to(step.scales_on);
  if (work.from.interlaced)
    text.add(step.scales_on == Place::device ? work.row->deinterlace
                                             : "bwdif=mode=send_frame:deint=interlaced");
  if (maps) text.add(completed_colour(work.from));
  if (step.scales_on == Place::memory)
    text.add(scale_in_memory(work));
  else if (maps && step.maps_on == Place::device)
    text.add_on_device(work.row->map, to, to.bit_depth);
  else
    text.add_on_device(work.row->scale, to, maps ? text.depth() : to.bit_depth);
  if (maps && step.maps_on == Place::memory) {
    constexpr unsigned kEnoughForHdr = 10;
    text.in_memory_as(kEnoughForHdr);
    text.add(map_in_memory(work.from));
  }
  // The rounding of the width to even does not show in the shape of pixels.
  text.add(fmt::format("setsar={}/{}", work.from.sample_aspect.numerator,
                       work.from.sample_aspect.denominator));
}

}  // namespace

std::string graph_text(const StepWork& work) {
  Text text(work);
  if (work.step.picture) scale_and_map(text, work);
  const bool made_in_memory = work.step.picture && text.place() == Place::memory;
  if (made_in_memory) text.in_memory_as(work.to.bit_depth);
  text.move_to(work.step.out);
  // What encoders in software take.
  if (text.place() == Place::memory && !made_in_memory) text.in_memory_as(text.depth());
  return text.text();
}

std::string tone_text(const media::VideoFacts& from) {
  std::string text = "format=yuv420p10le,";
  if (const std::string colour = completed_colour(from); !colour.empty()) text += colour + ",";
  return text + map_in_memory(from);
}

}  // namespace kapok::ffmpeg
