#include "transcoder/file/input.hpp"

extern "C" {
#include <libavformat/avformat.h>
}

#include <algorithm>
#include <deque>

#include "server/media/describe.hpp"
#include "transcoder/file/descriptor_io.hpp"
#include "transcoder/file/lane.hpp"

namespace kapok::file {

namespace {

using ffmpeg::av_error;
using ffmpeg::PacketPtr;

constexpr const char* kFormats = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,mxf,mpegts";
// MXF and MPEG-TS have no header that says everything: so much is looked at.
constexpr std::int64_t kProbeBytes = std::int64_t{32} << 20;
constexpr std::int64_t kAnalyzeMicroseconds = 10'000'000;
constexpr unsigned kMaxStreams = 64;  // a contribution file has up to 16 sounds and a time code
// Until every track has said what it is.
constexpr std::size_t kMaxPendingBytes = std::size_t{256} << 20;
constexpr std::size_t kMaxPendingPackets = 4096;
// In a row; a demuxer that finds no more in so much data never will.
constexpr unsigned kMaxErrors = 1000;

struct FormatDeleter {
  void operator()(AVFormatContext* context) const { avformat_close_input(&context); }
};
using FormatPtr = std::unique_ptr<AVFormatContext, FormatDeleter>;

int refuse_other_files(AVFormatContext*, AVIOContext**, const char*, int, AVDictionary**) {
  return AVERROR(EACCES);
}

Error unreadable(int code) {
  if (code == AVERROR_INVALIDDATA || code == AVERROR(EINVAL) || code == AVERROR_EOF)
    return {Errc::unsupported,
            "the file is no MP4, MOV, MXF, MPEG-TS or Matroska file, or its beginning is damaged: "
            "remux it with ffmpeg -i FILE -c copy new.mkv"};
  return av_error(code, "the file cannot be opened");
}

}  // namespace

struct Input::State {
  DescriptorIo io;
  FormatPtr context;  // goes before the io that it reads from
  std::string format;
  nanoseconds duration{0};
  nanoseconds begin{0};
  std::vector<std::unique_ptr<Lane>> lanes;  // the picture first
  std::vector<Source> sources;
  std::deque<PacketPtr> pending;      // read while the tracks were being found
  std::optional<nanoseconds> origin;  // of the first picture, or sound where there is none
  std::deque<Item> early;  // sound that stands before that picture in the file, perhaps not in time
  unsigned errors = 0;

  explicit State(int descriptor) : io(descriptor) {}

  Result<void> open_container();
  Result<void> choose_streams();
  Result<void> describe_lanes();
  Result<PacketPtr> read();  // null: the end
  Result<std::optional<Item>> next_converted();
  bool place(Item& item);
  Lane* lane_of(int stream) {
    for (const auto& lane : lanes)
      if (lane->stream_index() == stream) return lane.get();
    return nullptr;
  }
};

Result<void> Input::State::open_container() {
  AVFormatContext* raw = avformat_alloc_context();
  if (raw == nullptr) throw std::bad_alloc();
  raw->pb = io.context();
  raw->io_open = refuse_other_files;
  raw->flags |= AVFMT_FLAG_CUSTOM_IO | AVFMT_FLAG_DISCARD_CORRUPT;
  raw->probesize = kProbeBytes;
  raw->format_probesize = 1 << 20;
  raw->max_analyze_duration = kAnalyzeMicroseconds;
  raw->max_streams = kMaxStreams;
  raw->format_whitelist = av_strdup(kFormats);
  raw->protocol_whitelist = av_strdup("none");
  // Frees the context when it fails.
  if (const int code = avformat_open_input(&raw, nullptr, nullptr, nullptr); code < 0)
    return std::unexpected(unreadable(code));
  context.reset(raw);
  if (const int code = avformat_find_stream_info(raw, nullptr); code < 0)
    return std::unexpected(unreadable(code));
  format = raw->iformat->name;
  format = format.substr(0, format.find(','));
  if (raw->duration > 0)
    duration = std::min<nanoseconds>(microseconds(raw->duration), std::chrono::hours(24 * 365));
  return {};
}

Result<void> Input::State::choose_streams() {
  AVFormatContext& file = *context;
  int video = av_find_best_stream(&file, AVMEDIA_TYPE_VIDEO, -1, -1, nullptr, 0);
  // The cover of a record is no picture that moves.
  if (video >= 0 && (file.streams[video]->disposition & AV_DISPOSITION_ATTACHED_PIC) != 0)
    video = AVERROR_STREAM_NOT_FOUND;
  const auto add = [&](int index) {
    const auto id = static_cast<media::TrackId>(lanes.size() + 1);
    lanes.push_back(std::make_unique<Lane>(*file.streams[index], id));
  };
  if (video >= 0) add(video);
  // Of a multiplex of programmes the sounds of that picture's alone.
  const AVProgram* program =
      video < 0 ? nullptr : av_find_program_from_stream(&file, nullptr, video);
  std::vector<int> indexes;
  if (program != nullptr)
    indexes.assign(program->stream_index, program->stream_index + program->nb_stream_indexes);
  else
    for (unsigned i = 0; i < file.nb_streams; ++i) indexes.push_back(static_cast<int>(i));
  std::size_t sounds = 0;
  for (const int index : indexes)
    if (file.streams[index]->codecpar->codec_type == AVMEDIA_TYPE_AUDIO && sounds++ < kMaxSounds)
      add(index);
  for (unsigned i = 0; i < file.nb_streams; ++i)
    if (lane_of(static_cast<int>(i)) == nullptr) file.streams[i]->discard = AVDISCARD_ALL;
  if (lanes.empty()) return fail(Errc::unsupported, "the file has neither a picture nor sound");
  return {};
}

Result<PacketPtr> Input::State::read() {
  while (true) {
    PacketPtr packet = ffmpeg::make_packet();
    const int code = av_read_frame(context.get(), packet.get());
    if (code == AVERROR_EOF) return PacketPtr();
    if (const auto failed = io.error()) return std::unexpected(*failed);
    if (code < 0) {
      if (code != AVERROR(EAGAIN) && ++errors > kMaxErrors)
        return std::unexpected(av_error(code, "the file cannot be read on"));
      if (code == AVERROR_INVALIDDATA || code == AVERROR(EAGAIN)) continue;
      return std::unexpected(av_error(code, "the file cannot be read on"));
    }
    errors = 0;
    if (packet->size <= 0 || static_cast<std::size_t>(packet->size) > media::kMaxPacketBytes)
      continue;
    if (lane_of(packet->stream_index) != nullptr) return packet;
  }
}

Result<void> Input::State::describe_lanes() {
  std::size_t bytes = 0;
  const auto all_told = [&] {
    return std::ranges::all_of(lanes, [](const auto& lane) { return lane->described(); });
  };
  for (const auto& lane : lanes) lane->describe_by_header();
  while (!all_told() && bytes < kMaxPendingBytes && pending.size() < kMaxPendingPackets) {
    PacketPtr packet = KAPOK_TRY(read());
    if (!packet) break;
    bytes += static_cast<std::size_t>(packet->size);
    lane_of(packet->stream_index)->describe_by_packet(*packet);
    pending.push_back(std::move(packet));
  }
  const Lane& leading = *lanes.front();
  if (leading.is_video() && !leading.described())
    return fail(Errc::unsupported, "the picture cannot be decoded here: {}", leading.why_not());
  std::string why;
  std::erase_if(lanes, [&](const auto& lane) {
    if (lane->described()) return false;
    why += (why.empty() ? "" : "; ") + lane->why_not();
    return true;
  });
  if (lanes.empty())
    return fail(Errc::unsupported, "nothing in the file can be decoded here: {}", why);
  for (const auto& lane : lanes) {
    lane->set_id(static_cast<media::TrackId>(sources.size() + 1));
    sources.push_back({lane->track(), lane->unfit()});
  }
  return {};
}

Input::Input(std::unique_ptr<State> state) : state_(std::move(state)) {}
Input::~Input() = default;

Result<std::unique_ptr<Input>> Input::open(Options options) {
  auto state = std::make_unique<State>(options.descriptor);
  state->begin = options.begin;
  KAPOK_TRY(state->open_container());
  KAPOK_TRY(state->choose_streams());
  KAPOK_TRY(state->describe_lanes());
  return std::unique_ptr<Input>(new Input(std::move(state)));
}

const std::string& Input::format() const {
  return state_->format;
}
nanoseconds Input::duration() const {
  return state_->duration;
}
const std::vector<Source>& Input::sources() const {
  return state_->sources;
}

// nullopt: the end.
Result<std::optional<Input::Item>> Input::State::next_converted() {
  while (true) {
    PacketPtr packet;
    if (!pending.empty()) {
      packet = std::move(pending.front());
      pending.pop_front();
    } else {
      packet = KAPOK_TRY(read());
      if (!packet) return std::nullopt;
    }
    Lane* lane = lane_of(packet->stream_index);
    if (lane == nullptr) continue;
    auto item = lane->convert(std::move(packet));
    if (!item) continue;
    if (item->changed) sources[item->packet.track - 1].track = lane->track();
    return item;
  }
}

// At its time. False: it is before the begin, as pictures that lead an open GOP are, and the delay
// of sound encoders.
bool Input::State::place(Item& item) {
  Lane& lane = *lanes[item.packet.track - 1];
  const media::Timescale timescale = lane.track()->timescale;
  const media::Ticks shift = media::from_nanoseconds(begin - *origin, timescale);
  const media::Ticks first = media::from_nanoseconds(begin, timescale);
  item.packet.pts += shift;
  item.packet.dts += shift;
  const bool heard = lane.track()->audio() != nullptr;
  const media::Ticks end = item.packet.pts + (heard ? item.packet.duration : media::Ticks{});
  if (item.packet.pts < first && end <= first) return false;
  lane.make_rising(item.packet);
  return true;
}

Result<std::optional<Input::Item>> Input::next() {
  constexpr media::TrackId kLeading = 1;
  State& state = *state_;
  while (true) {
    std::optional<Item> item;
    if (state.origin && !state.early.empty()) {
      item = std::move(state.early.front());
      state.early.pop_front();
    } else {
      item = KAPOK_TRY(state.next_converted());
      if (!item) return std::nullopt;
    }
    if (!state.origin) {
      if (item->packet.track != kLeading) {
        if (state.early.size() == kMaxPendingPackets) state.early.pop_front();
        state.early.push_back(*std::move(item));
        continue;
      }
      if (!item->decodable) continue;
      const media::Timescale timescale = state.lanes.front()->track()->timescale;
      state.origin = media::to_nanoseconds(item->packet.pts, timescale);
    }
    if (state.place(*item)) return item;
  }
}

}  // namespace kapok::file
