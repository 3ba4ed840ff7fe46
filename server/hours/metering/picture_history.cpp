#include "server/hours/metering/picture_history.hpp"

#include <algorithm>

namespace kapok::metering {

namespace {

std::string key_of(std::string_view channel, std::string_view rendition) {
  return fmt::format("{}/{}", channel, rendition);
}

std::uint32_t rate_milli(media::Rational rate) {
  if (rate.numerator == 0 || rate.denominator == 0) return 0;
  const std::uint64_t milli = std::uint64_t{rate.numerator} * 1000 / rate.denominator;
  return static_cast<std::uint32_t>(std::min<std::uint64_t>(milli, UINT32_MAX));
}

bool same_picture(const evidence::PictureFacts& a, const evidence::PictureFacts& b) {
  return a.codec == b.codec && a.width == b.width && a.height == b.height &&
         a.bit_depth == b.bit_depth && a.frame_rate == b.frame_rate && a.colour == b.colour;
}

std::uint8_t codec_number(media::Codec codec) {
  switch (codec) {
    case media::Codec::avc:
      return 1;
    case media::Codec::hevc:
      return 2;
    case media::Codec::av1:
      return 3;
    default:
      return 0;
  }
}

}  // namespace

std::int64_t to_ms(UtcTime time) {
  return std::chrono::floor<milliseconds>(time.time_since_epoch()).count();
}
UtcTime from_ms(std::int64_t time) {
  return UtcTime(milliseconds(time));
}
rules::Span to_span(const evidence::Interval& interval) {
  return {to_ms(interval.from), to_ms(interval.to)};
}

rules::PictureClaim claim_of(const evidence::PictureFacts& picture) {
  return {picture.width,     picture.height,           rate_milli(picture.frame_rate),
          picture.bit_depth, picture.colour.primaries, picture.colour.transfer};
}

ledger::UhdClass classify(const rules::RuleSet& rules, const evidence::PictureFacts& picture) {
  const rules::PictureClaim claim = claim_of(picture);
  if (conforms(rules.strict, claim)) return ledger::UhdClass::strict;
  return conforms(rules.loose, claim) ? ledger::UhdClass::loose : ledger::UhdClass::none;
}

void describe_picture(ledger::Leaf& leaf, const evidence::PictureFacts& picture,
                      ledger::UhdClass uhd) {
  leaf.uhd = uhd;
  leaf.codec = codec_number(picture.codec);
  leaf.width = static_cast<std::uint16_t>(std::min(picture.width, 65535U));
  leaf.height = static_cast<std::uint16_t>(std::min(picture.height, 65535U));
  leaf.frame_rate_milli = rate_milli(picture.frame_rate);
  leaf.bit_depth = picture.bit_depth;
  leaf.primaries = picture.colour.primaries;
  leaf.transfer = picture.colour.transfer;
}

void PictureHistory::published(const evidence::Published& segment, ledger::UhdClass uhd) {
  const std::string key = key_of(segment.channel, segment.rendition);
  auto found = changes_.find(key);
  if (found == changes_.end()) {
    if (changes_.size() >= kMaxRenditions) return;
    found = changes_.emplace(key, std::deque<Change>()).first;
  }
  std::deque<Change>& changes = found->second;
  if (!changes.empty() && same_picture(changes.back().picture, segment.picture)) return;
  changes.push_back({to_ms(segment.interval.from), uhd, segment.picture});
  if (changes.size() > kMaxChanges) changes.pop_front();
}

std::vector<PictureHistory::Piece> PictureHistory::split(std::string_view channel,
                                                         std::string_view rendition,
                                                         rules::Span span) const {
  const auto found = changes_.find(key_of(channel, rendition));
  if (found == changes_.end() || found->second.empty()) return {{span}};
  const std::deque<Change>& changes = found->second;
  std::vector<Piece> out;
  for (std::size_t i = 0; i < changes.size(); ++i) {
    const rules::Span in_force{i == 0 ? INT64_MIN : changes[i].from_ms,
                               i + 1 == changes.size() ? INT64_MAX : changes[i + 1].from_ms};
    const rules::Span piece = intersection(span, in_force);
    if (!piece.empty()) out.push_back({piece, changes[i].uhd, &changes[i].picture});
  }
  return out;
}

}  // namespace kapok::metering
