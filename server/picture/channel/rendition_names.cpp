#include "server/picture/channel/rendition_names.hpp"

#include <algorithm>
#include <cassert>

#include "server/base/ids.hpp"

namespace kapok::channel {
namespace {

// "zh-Hans" -> "zh-hans"; empty when it says nothing or could not stand in a URL.
std::string language_id(std::string_view language) {
  std::string id;
  for (const char c : language) id += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  constexpr std::size_t kLongest = 35;  // [RFC 5646 4.4.1] enough for any real tag
  // A tag that looks like a number would collide with the numbered names.
  const bool numeric = std::ranges::all_of(id, [](char c) { return c >= '0' && c <= '9'; });
  if (id == "und" || id.size() > kLongest || numeric || !is_valid_id(id)) return {};
  return id;
}

}  // namespace

bool RenditionNames::taken(const std::string& name) const {
  return std::ranges::any_of(names_, [&](const auto& entry) { return entry.second == name; });
}

const std::string& RenditionNames::name(const media::Track& track) {
  const auto found = names_.find(track.id);
  if (found != names_.end()) return found->second;
  assert(track.kind == media::TrackKind::video || track.kind == media::TrackKind::audio);
  std::string stem;
  unsigned number = 0;
  if (track.kind == media::TrackKind::video) {
    stem = "source";
    number = ++videos_;
  } else {
    ++audios_;
    const std::string language = language_id(track.language);
    stem = language.empty() ? "audio" : "audio-" + language;
    number = language.empty() ? audios_ : 1;
  }
  const bool bare = stem != "audio";
  std::string name = bare && number == 1 ? stem : fmt::format("{}-{}", stem, number);
  while (taken(name)) name = fmt::format("{}-{}", stem, ++number);
  return names_.emplace(track.id, std::move(name)).first->second;
}

std::shared_ptr<const media::Track> told_apart(std::span<const media::AudioRung> made,
                                               std::span<const std::string> languages,
                                               std::string_view rung,
                                               std::shared_ptr<const media::Track> track) {
  const auto found = std::ranges::find(made, rung, &media::AudioRung::name);
  if (found == made.end() || found->source == 0 || found->source >= languages.size()) return track;
  const std::string id = language_id(track->language);
  const auto earlier = languages.first(found->source);
  // As RenditionNames counts them.
  const auto number =
      id.empty() ? found->source + 1 : std::ranges::count(earlier, id, language_id) + 1;
  if (number == 1) return track;
  auto named = std::make_shared<media::Track>(*track);
  const std::string& language = id.empty() ? "und" : track->language;
  const bool is_private = language.find("-x-") != std::string::npos;
  named->language = fmt::format("{}{}{}", language, is_private ? "-" : "-x-", number);
  return named;
}

}  // namespace kapok::channel
