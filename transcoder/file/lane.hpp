// One stream of a file on its way from libavformat's packets to ours: what it is, in which form its
// bytes stand, and times that only go forward. Internal to this folder.
#pragma once

extern "C" {
#include <libavformat/avformat.h>
}

#include <optional>
#include <string>

#include "server/media/describe.hpp"
#include "server/media/parameter_sets.hpp"
#include "transcoder/ffmpeg/av.hpp"
#include "transcoder/file/input.hpp"

namespace kapok::file {

class Lane {
 public:
  Lane(const AVStream& stream, media::TrackId id);

  int stream_index() const { return stream_.index; }
  bool is_video() const { return stream_.codecpar->codec_type == AVMEDIA_TYPE_VIDEO; }
  // First what the container says of it, then its packets until that is enough.
  void describe_by_header();
  void describe_by_packet(const AVPacket& packet);
  bool described() const { return track_ && (!needs_first_unit_ || seen_first_unit_); }
  std::string why_not() const;
  std::string unfit() const;
  const std::shared_ptr<const media::Track>& track() const { return track_; }
  void set_id(media::TrackId id);

  // nullopt: nothing that could be used.
  std::optional<Input::Item> convert(ffmpeg::PacketPtr packet);
  // dts strictly rise in what leaves.
  void make_rising(media::Packet& packet);

 private:
  enum class Form : std::uint8_t { as_is, annexb, adts, av1 };

  void describe_known(media::Codec codec, ByteSpan header);
  void describe_foreign();
  void adopt(Result<std::shared_ptr<const media::Track>> track);
  void complete_facts(media::Track& track) const;
  media::TrackDraft draft(Buffer config) const;
  media::Timescale video_timescale() const;
  Buffer payload_of(ffmpeg::PacketPtr packet, bool& changed);
  bool take_new_sets();
  void set_times(const AVPacket& packet, media::Packet& out);
  media::Ticks ticks(std::int64_t time) const;

  const AVStream& stream_;
  media::TrackId id_;
  media::Codec codec_ = media::Codec::unknown;
  Form form_ = Form::as_is;
  std::shared_ptr<const media::Track> track_;
  std::string error_;
  bool needs_first_unit_ = false;
  bool seen_first_unit_ = false;
  std::optional<media::ParameterSets> sets_;
  std::uint64_t sets_version_ = 0;

  media::Ticks offset_;                   // over jumps of the file's clock
  std::optional<media::Ticks> last_raw_;  // dts as the file says it
  media::Ticks last_duration_;
  std::optional<media::Ticks> next_sound_;  // where the sound so far ends
  std::optional<media::Ticks> last_dts_;    // that left
};

}  // namespace kapok::file
