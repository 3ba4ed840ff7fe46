#include "server/picture/packaging/listing.hpp"

#include <string_view>

namespace kapok::packaging {

std::string sound_of(const RenditionListing& listing) {
  if (!listing.info.rung || listing.info.language.empty()) return listing.info.id;
  std::string language;
  for (const char c : listing.info.language)
    language += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  constexpr std::string_view kPrivate = "-x-";
  const std::size_t mark = language.rfind(kPrivate);
  const bool is_number =
      mark != std::string::npos &&
      language.find_first_not_of("0123456789", mark + kPrivate.size()) == std::string::npos;
  if (is_number) language.erase(mark + 1, kPrivate.size() - 1);
  constexpr std::string_view kUnknown = "und-";
  if (is_number && language.starts_with(kUnknown)) language.erase(0, kUnknown.size());
  return "audio-" + language;
}

}  // namespace kapok::packaging
