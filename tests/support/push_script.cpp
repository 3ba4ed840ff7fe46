#include "tests/support/push_script.hpp"

#include <algorithm>
#include <fstream>
#include <iterator>
#include <optional>

#include "server/picture/protocols/rtmp/message.hpp"

namespace kapok::support {

using rtmp::MessageType;

namespace {
struct Tag {
  MessageType type;
  std::uint32_t timestamp;
  ByteSpan body;
};

// [FLV 10.1 E.2, E.3]
Result<std::vector<Tag>> read_tags(ByteSpan file) {
  ByteReader in(file);
  if (as_text(KAPOK_TRY(in.take(3))) != "FLV") return fail(Errc::malformed, "not an FLV file");
  KAPOK_TRY(in.skip(2));
  const std::uint32_t header = KAPOK_TRY(in.u32());
  if (header < 9) return fail(Errc::malformed, "FLV header of {} bytes", header);
  KAPOK_TRY(in.skip(header - 9 + 4));
  std::vector<Tag> tags;
  while (in.left() >= 11) {
    Tag tag;
    tag.type = static_cast<MessageType>(KAPOK_TRY(in.u8()) & 0x1F);
    const std::uint32_t size = KAPOK_TRY(in.u24());
    tag.timestamp = KAPOK_TRY(in.u24());
    tag.timestamp |= static_cast<std::uint32_t>(KAPOK_TRY(in.u8())) << 24;
    KAPOK_TRY(in.skip(3));
    if (in.left() < size) break;  // a file still being written
    tag.body = KAPOK_TRY(in.take(size));
    if (in.left() >= 4) KAPOK_TRY(in.skip(4));
    tags.push_back(tag);
  }
  return tags;
}

constexpr std::uint8_t chunk_stream_of(MessageType type) {
  return type == MessageType::audio ? 4 : type == MessageType::video ? 6 : 5;
}

struct Writer {
  Bytes& bytes;
  std::uint32_t chunk_bytes;
  enum class Time : std::uint8_t { absolute, delta };

  void message(const Tag& tag, Time time, std::uint32_t value) {
    ByteWriter out(bytes);
    const std::uint8_t id = chunk_stream_of(tag.type);
    out.u8(static_cast<std::uint8_t>((time == Time::absolute ? 0x00 : 0x40) | id));
    out.u24(value);
    out.u24(static_cast<std::uint32_t>(tag.body.size()));
    out.u8(static_cast<std::uint8_t>(tag.type));
    if (time == Time::absolute) out.u32(0x01000000);  // message stream 1, little-endian
    for (std::size_t at = 0; at < tag.body.size(); at += chunk_bytes) {
      if (at > 0) out.u8(static_cast<std::uint8_t>(0xC0 | id));
      out.bytes(tag.body.subspan(at, std::min<std::size_t>(chunk_bytes, tag.body.size() - at)));
    }
  }
};

// A sequence header, which has a time but no frame. [FLV 10.1 E.4.2.1, E.4.3.1; Enhanced RTMP v2]
bool is_header(const Tag& tag) {
  if (tag.body.size() < 2) return true;
  const bool extended =
      tag.type == MessageType::video && (tag.body[0] & std::byte{0x80}) != std::byte{0};
  return extended ? (tag.body[0] & std::byte{0x0F}) == std::byte{0} : tag.body[1] == std::byte{0};
}

// How long a frame of the file's video (or else audio) lasts: a loop ends that much after its last.
std::uint32_t usual_step(const std::vector<Tag>& tags, MessageType type) {
  std::vector<std::uint32_t> steps;
  std::optional<std::uint32_t> last;
  for (const Tag& tag : tags) {
    if (tag.type != type) continue;
    if (last && tag.timestamp > *last) steps.push_back(tag.timestamp - *last);
    last = tag.timestamp;
  }
  if (steps.empty()) return 0;
  std::ranges::nth_element(steps, steps.begin() + static_cast<std::ptrdiff_t>(steps.size() / 2));
  return steps[steps.size() / 2];
}
}  // namespace

Result<PushScript> PushScript::load(const std::filesystem::path& flv, std::uint32_t chunk_bytes) {
  std::ifstream in(flv, std::ios::binary);
  if (!in) return fail(Errc::io, "{} cannot be read", flv.string());
  const std::string file((std::istreambuf_iterator<char>(in)), {});
  std::vector<Tag> tags = KAPOK_TRY(read_tags(as_bytes(file)));
  std::erase_if(tags, [](const Tag& tag) {
    return tag.type != MessageType::audio && tag.type != MessageType::video &&
           tag.type != MessageType::data_amf0;
  });
  const auto is_media = [](const Tag& tag) { return tag.type != MessageType::data_amf0; };
  if (std::ranges::none_of(tags, is_media)) return fail(Errc::malformed, "no media in the file");

  // Encoders' files may begin anywhere; ours begin at zero.
  std::uint32_t begin = tags.front().timestamp;
  for (const Tag& tag : tags) begin = std::min(begin, tag.timestamp);
  for (Tag& tag : tags) tag.timestamp -= begin;

  PushScript script;
  std::uint32_t step = usual_step(tags, MessageType::video);
  MessageType pacing = MessageType::video;
  if (step == 0) step = usual_step(tags, pacing = MessageType::audio);
  // From the first frame to one frame after the last, so that no gap is seen where the loop closes.
  std::optional<std::uint32_t> first_frame;
  for (const Tag& tag : tags) {
    if (tag.type != pacing || is_header(tag)) continue;
    if (!first_frame) first_frame = tag.timestamp;
    script.loop_ms_ = std::max(script.loop_ms_, tag.timestamp + step - *first_frame);
  }
  for (const Tag& tag : tags) script.loop_ms_ = std::max(script.loop_ms_, tag.timestamp);

  struct Range {
    std::size_t first, first_size, again, again_size;
  };
  std::vector<Range> ranges;
  std::uint32_t last_in_file[3] = {};
  const auto kind = [](const Tag& tag) { return (chunk_stream_of(tag.type) - 4) % 3; };
  for (const Tag& tag : tags) last_in_file[kind(tag)] = tag.timestamp;
  std::optional<std::uint32_t> last[3];
  Bytes seams;  // the first loop's own messages stand behind the common ones
  for (const Tag& tag : tags) {
    auto& before = last[kind(tag)];
    Range range{};
    range.again = script.bytes_.size();
    Writer common{script.bytes_, chunk_bytes};
    if (before) {
      // A file with times that step back would need a wrapped delta; hold it instead.
      common.message(tag, Writer::Time::delta, tag.timestamp - std::min(*before, tag.timestamp));
    } else {
      common.message(tag, Writer::Time::delta,
                     script.loop_ms_ - last_in_file[kind(tag)] + tag.timestamp);
      range.first = seams.size();
      Writer{seams, chunk_bytes}.message(tag, Writer::Time::absolute, tag.timestamp);
      range.first_size = seams.size() - range.first;
    }
    range.again_size = script.bytes_.size() - range.again;
    before = std::max(before.value_or(0), tag.timestamp);
    ranges.push_back(range);
  }
  const std::size_t seams_at = script.bytes_.size();
  ByteWriter(script.bytes_).bytes(seams);
  const ByteSpan all(script.bytes_);
  for (std::size_t i = 0; i < tags.size(); ++i) {
    const Range& range = ranges[i];
    const ByteSpan again = all.subspan(range.again, range.again_size);
    const ByteSpan first =
        range.first_size > 0 ? all.subspan(seams_at + range.first, range.first_size) : again;
    script.steps_.push_back({tags[i].timestamp, first, again});
  }
  return script;
}

}  // namespace kapok::support
