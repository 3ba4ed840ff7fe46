#include "server/media/ladder.hpp"

#include <algorithm>
#include <set>
#include <string_view>

#include "server/base/ids.hpp"
#include "server/media/device.hpp"
#include "server/media/dolby_vision.hpp"

namespace kapok::media {
namespace {

// The channel names what it passes through (docs/operations.md), and its still pictures: nothing
// else may be called so.
bool is_source_name(std::string_view name) {
  return name == "source" || name.starts_with("source-") || name.starts_with("audio-") ||
         name == "thumbnails";
}

Result<void> validate_name(std::string_view name) {
  if (!is_valid_id(name))
    return fail(
        Errc::config,
        "name is not an id (a-z, 0-9, _ and -, at most {} of them, a letter or digit first)",
        kMaxIdLength);
  if (is_source_name(name))
    return fail(Errc::config, "name is what the source's own renditions are called");
  return {};
}

Result<void> validate_bit_rate(std::uint32_t bit_rate) {
  if (bit_rate < kMinRungBitRate || bit_rate > kMaxRungBitRate)
    return fail(Errc::config, "bit_rate is not within {} and {} b/s", kMinRungBitRate,
                kMaxRungBitRate);
  return {};
}

Result<void> validate_encoder_word(std::string_view word, std::string_view field) {
  const bool fits =
      word.size() <= kMaxEncoderWord && std::ranges::all_of(word, [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
      });
  if (!fits)
    return fail(Errc::config, "{} is not a word of a-z, 0-9, - and _ (at most {})", field,
                kMaxEncoderWord);
  return {};
}

Result<void> validate_bin(std::string_view bin) {
  const bool fits = bin.size() <= kMaxBinText &&
                    std::ranges::all_of(bin, [](char c) { return c >= 0x20 && c < 0x7f; });
  if (!fits) return fail(Errc::config, "bin is not printable ASCII of at most {}", kMaxBinText);
  return {};
}

}  // namespace

Result<void> validate(const VideoRung& rung) {
  KAPOK_TRY(validate_name(rung.name));
  if (rung.codec != Codec::avc && rung.codec != Codec::hevc && rung.codec != Codec::av1)
    return fail(Errc::config, "codec {} is none of avc, hevc, av1", name_of(rung.codec));
  if (rung.height < kMinRungHeight || rung.height > kMaxRungHeight || rung.height % 2 != 0)
    return fail(Errc::config, "height is not an even number within {} and {}", kMinRungHeight,
                kMaxRungHeight);
  KAPOK_TRY(validate_bit_rate(rung.bit_rate));
  if (rung.vbv_ms < kMinVbvMs || rung.vbv_ms > kMaxVbvMs)
    return fail(Errc::config, "vbv_ms is not within {} and {}", kMinVbvMs, kMaxVbvMs);
  if (rung.bit_depth != 8 && rung.bit_depth != 10)
    return fail(Errc::config, "bit_depth is neither 8 nor 10");
  if (rung.bit_depth == 10 && rung.codec == Codec::avc)
    return fail(Errc::config, "bit_depth 10 in avc plays nowhere: use hevc or av1");
  if (rung.range == RungRange::keep && rung.bit_depth != 10)
    return fail(Errc::config,
                "range keep needs bit_depth 10 (HDR in 8 bits shows bands); or say range sdr");
  if (rung.b_frames > kMaxBFrames) return fail(Errc::config, "b_frames is above {}", kMaxBFrames);
  KAPOK_TRY(validate_encoder_word(rung.preset, "preset"));
  KAPOK_TRY(validate_encoder_word(rung.tune, "tune"));
  return validate_bin(rung.bin);
}

Result<void> validate(const AudioRung& rung) {
  KAPOK_TRY(validate_name(rung.name));
  if (rung.codec != Codec::aac && rung.codec != Codec::opus)
    return fail(Errc::config, "codec {} is none of aac, opus", name_of(rung.codec));
  if (rung.channels != 1 && rung.channels != 2 && rung.channels != 6)
    return fail(Errc::config, "channels is none of 1, 2, 6");
  if (rung.loudness != 0 && (rung.loudness < kMinLoudness || rung.loudness > kMaxLoudness))
    return fail(Errc::config, "loudness is not within {} and {} LUFS (nor 0, as it is)",
                kMinLoudness, kMaxLoudness);
  if (rung.source >= kMaxAudioSources)
    return fail(Errc::config, "source is not below {}", kMaxAudioSources);
  return validate_bit_rate(rung.bit_rate);
}

Result<void> validate(const Ladder& ladder) {
  if (ladder.video.empty() && ladder.audio.empty())
    return fail(Errc::config, "the ladder has no rung");
  if (ladder.video.size() > kMaxVideoRungs || ladder.audio.size() > kMaxAudioRungs)
    return fail(Errc::config, "the ladder has more than {} video or {} audio rungs", kMaxVideoRungs,
                kMaxAudioRungs);
  if (!is_valid_id(ladder.name)) return fail(Errc::config, "the ladder's name is not an id");
  if (ladder.engine != "ffmpeg" && ladder.engine != "gstreamer")
    return fail(Errc::config, "engine \"{}\" is neither ffmpeg nor gstreamer", ladder.engine);
  KAPOK_TRY(parse_device_wish(ladder.device));
  KAPOK_TRY(validate(ladder.detect));
  std::set<std::string_view> names;
  const auto check = [&](const auto& rung) -> Result<void> {
    if (auto valid = validate(rung); !valid)
      return std::unexpected(std::move(valid).error().within(rung.name));
    if (!names.insert(rung.name).second)
      return fail(Errc::config, "two rungs are called {}", rung.name);
    return {};
  };
  for (const VideoRung& rung : ladder.video) {
    KAPOK_TRY(check(rung));
    if (!rung.bin.empty() && ladder.engine != "gstreamer")
      return fail(Errc::config, "{}: bin is for engine = \"gstreamer\" only", rung.name);
    const auto other = std::ranges::find(ladder.video, rung.codec, &VideoRung::codec);
    if (other->range != rung.range)
      return fail(Errc::config,
                  "{} and {} are both {} but differ in range: players switch between them",
                  rung.name, other->name, name_of(rung.codec));
  }
  for (const AudioRung& rung : ladder.audio) KAPOK_TRY(check(rung));
  if (ladder.poster.interval < kMinPosterInterval || ladder.poster.interval > kMaxPosterInterval)
    return fail(Errc::config, "poster.interval is not within a second and an hour");
  const auto check_side = [](std::string_view what, std::uint32_t side,
                             std::uint32_t most) -> Result<void> {
    if (side >= kMinStillSide && side <= most) return {};
    return fail(Errc::config, "{} is not within {} and {}", what, kMinStillSide, most);
  };
  KAPOK_TRY(check_side("poster.side", ladder.poster.side, kMaxPosterSide));
  KAPOK_TRY(check_side("thumbnails.side", ladder.thumbnails.side, kMaxThumbnailSide));
  const OverlayWish& logo = ladder.overlay;
  constexpr std::uint32_t kWhole = 100;
  if (logo.height_percent == 0 || logo.opacity_percent == 0 || logo.opacity_percent > kWhole ||
      logo.height_percent + 2 * logo.margin_percent > kWhole || logo.margin_percent > kWhole)
    return fail(Errc::config, "overlay: the logo and its margins do not fit into the picture");
  return logo.png.empty() ? Result<void>{} : check_logo(logo.png.bytes());
}

bool OverlayWish::operator==(const OverlayWish& other) const {
  return image == other.image && png.text() == other.png.text() && corner == other.corner &&
         height_percent == other.height_percent && margin_percent == other.margin_percent &&
         opacity_percent == other.opacity_percent;
}

// [PNG 5.2, 11.2.2] the signature, then IHDR with width and height.
Result<void> check_logo(ByteSpan png) {
  if (png.size() > kMaxLogoBytes)
    return fail(Errc::config, "the logo is larger than {} bytes", kMaxLogoBytes);
  using namespace std::string_view_literals;
  constexpr std::string_view kBegin = "\x89PNG\r\n\x1a\n\0\0\0\rIHDR"sv;
  if (!as_text(png).starts_with(kBegin)) return fail(Errc::config, "the logo is no PNG");
  ByteReader in(png.subspan(kBegin.size()));
  const std::uint32_t width = KAPOK_TRY(in.u32());
  const std::uint32_t height = KAPOK_TRY(in.u32());
  if (width == 0 || height == 0 || width > kMaxLogoSide || height > kMaxLogoSide)
    return fail(Errc::config, "the logo has {}x{} pixels, more than {}x{}", width, height,
                kMaxLogoSide, kMaxLogoSide);
  return {};
}

FittedLadder rungs_for(const Ladder& ladder, const VideoFacts* video, const AudioFacts* audio) {
  FittedLadder fitted{ladder, {}, {}};
  std::erase_if(fitted.ladder.video, [&](VideoRung& rung) {
    if (!video) {
      fitted.left_out.push_back({rung.name, "the source has no video"});
      return true;
    }
    if (video->dolby_vision && dolby_vision::needs_decoder(*video->dolby_vision)) {
      fitted.left_out.push_back(
          {rung.name, fmt::format("the colours of Dolby Vision profile {} are not those of other "
                                  "pictures: send profile 8.1 or 8.4",
                                  dolby_vision::profile_name(*video->dolby_vision))});
      return true;
    }
    if (rung.height > video->height) {
      fitted.left_out.push_back({rung.name, fmt::format("{} lines are more than the source's {}",
                                                        rung.height, video->height)});
      return true;
    }
    if (!may_halve(video->frame_rate)) rung.rate = RungRate::full;
    return false;
  });
  std::erase_if(fitted.ladder.audio, [&](const AudioRung& rung) {
    if (audio && rung.channels <= audio->channels) return false;
    fitted.left_out.push_back(
        {rung.name, audio ? fmt::format("{} channels are more than the source's {}", rung.channels,
                                        audio->channels)
                          : std::string("the source has no audio")});
    return true;
  });
  return fitted;
}

namespace {

// What every browser, phone and television takes.
bool plays_everywhere(const AudioSource& sound) {
  constexpr std::uint8_t kStereo = 2;
  return (sound.codec == Codec::aac || sound.codec == Codec::opus) &&
         sound.facts.channels <= kStereo;
}

// The rungs that a ladder of pictures alone is made to have of sounds[index].
std::vector<AudioRung> implied(std::span<const AudioSource> sounds, std::size_t index) {
  const AudioSource& sound = sounds[index];
  const auto serves = [&](const AudioSource& other) {
    return other.language == sound.language && plays_everywhere(other);
  };
  // Of two that are in one language the first is the programme's.
  const auto first = std::ranges::find(sounds, sound.language, &AudioSource::language);
  if (std::ranges::any_of(sounds, serves) || &*first != &sound) return {};
  constexpr std::uint8_t kStereo = 2;
  constexpr std::uint32_t kBitRate = 128'000;
  return {{.name = "aac-stereo",
           .codec = Codec::aac,
           .channels = std::clamp<std::uint8_t>(sound.facts.channels, 1, kStereo),
           .bit_rate = kBitRate}};
}

// "stereo", "stereo-en", "stereo-3": none that is taken.
std::string name_for(const std::string& rung, std::span<const AudioSource> sounds,
                     std::size_t index, const std::set<std::string>& taken) {
  if (index == 0) return rung;
  std::string language;
  for (const char c : sounds[index].language)
    language += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  std::string name = rung + "-" + language;
  if (!language.empty() && language != "und" && is_valid_id(name) && !taken.contains(name))
    return name;
  for (std::size_t number = index + 1;; ++number) {
    name = fmt::format("{}-{}", rung, number);
    if (!taken.contains(name)) return name;
  }
}

}  // namespace

FittedLadder fit(const Ladder& ladder, const VideoFacts* video,
                 std::span<const AudioSource> sounds) {
  sounds = sounds.first(std::min(sounds.size(), kMaxAudioSources));
  Ladder pictures = ladder;
  if (!sounds.empty()) pictures.audio.clear();  // else rungs_for() says why there is none
  FittedLadder fitted = rungs_for(pictures, video, nullptr);
  std::set<std::string> taken;
  for (const VideoRung& rung : ladder.video) taken.insert(rung.name);
  for (const AudioRung& rung : ladder.audio) taken.insert(rung.name);
  for (std::size_t i = 0; i < sounds.size(); ++i) {
    const bool added = ladder.audio.empty() && !fitted.ladder.video.empty();
    for (AudioRung rung : added ? implied(sounds, i) : ladder.audio) {
      rung.name = name_for(rung.name, sounds, i, taken);
      rung.source = static_cast<std::uint8_t>(i);
      const AudioFacts& facts = sounds[i].facts;
      if (rung.channels > facts.channels) {
        fitted.left_out.push_back(
            {rung.name, fmt::format("{} channels are more than the source's {}", rung.channels,
                                    facts.channels)});
      } else if (!is_valid_id(rung.name)) {
        fitted.left_out.push_back({rung.name, "the name is too long for a number behind it"});
      } else if (fitted.ladder.audio.size() == kMaxAudioRungs) {
        fitted.left_out.push_back(
            {rung.name, fmt::format("a ladder makes at most {} sounds", kMaxAudioRungs)});
      } else {
        if (added)
          fitted.added.push_back(
              {rung.name, fmt::format("the source's {} with {} channels is not for every player",
                                      name_of(sounds[i].codec), facts.channels)});
        taken.insert(rung.name);
        fitted.ladder.audio.push_back(std::move(rung));
      }
    }
  }
  return fitted;
}

bool may_halve(Rational frame_rate) {
  constexpr double kAbove = 30.5;
  return frame_rate.numerator == 0 || frame_rate.value() >= kAbove;
}

std::uint32_t width_of(const VideoRung& rung, const VideoFacts& source) {
  if (source.height == 0) return 0;
  const std::uint64_t twice = std::uint64_t{2} * source.height;
  const std::uint64_t pairs =
      (std::uint64_t{rung.height} * source.width + twice / 2) / twice;  // to the nearest even
  return static_cast<std::uint32_t>(std::max<std::uint64_t>(1, pairs) * 2);
}

}  // namespace kapok::media
