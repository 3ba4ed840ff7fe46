#include "server/media/detection.hpp"

namespace kapok::media {

Result<void> validate(const Detection& detection) {
  const auto check = [](std::string_view key, microseconds shortest) -> Result<void> {
    if (shortest == microseconds::zero()) return {};
    if (shortest >= kShortestDetection && shortest <= kLongestDetection) return {};
    return fail(Errc::config, "{} is neither 0 (not looked for) nor within 500 ms and 10 minutes",
                key);
  };
  KAPOK_TRY(check("detect.black", detection.black));
  KAPOK_TRY(check("detect.frozen", detection.frozen));
  KAPOK_TRY(check("detect.bars", detection.bars));
  KAPOK_TRY(check("detect.silence", detection.silence));
  if (detection.frozen_noise > kMaxFrozenNoise)
    return fail(Errc::config, "detect.frozen_noise is above {}", kMaxFrozenNoise);
  return {};
}

std::string_view name_of(Anomaly kind) {
  switch (kind) {
    case Anomaly::black:
      return "black";
    case Anomaly::frozen:
      return "frozen";
    case Anomaly::bars:
      return "bars";
    case Anomaly::silence:
      return "silence";
  }
  return "black";
}

}  // namespace kapok::media
