// What peers get into the log: a line stays one line of printable UTF-8, a token stays hidden.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "server/app/server/log_text.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace kapok;
  const std::string text(reinterpret_cast<const char*>(data), size);
  const LogField fields[] = {
      {"encoder", text}, {text, 1}, {"key", text}, {text.substr(0, 3), text}};
  for (const std::string& line : {app::logfmt_fields({}, fields), app::json_fields({}, fields)})
    for (const char c : line)
      if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) std::abort();
  // Its first letter is none that an escape ends in: "\x8d" before the rest of it would spell it.
  constexpr std::string_view kToken = "Tm8gaGV4IGRpZ2l0IGZpcnN0";
  // What is no secret where it stands is not hidden there.
  if (text.find(kToken.substr(0, 8)) != std::string::npos) return 0;
  const LogField link[] = {{"link", text + " /s/" + std::string(kToken) + "/" + text}};
  if (app::logfmt_fields({}, link).find(kToken) != std::string::npos) std::abort();
  return 0;
}
