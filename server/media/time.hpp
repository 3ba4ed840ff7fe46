// Media time. Ticks is a strong 64-bit count; its timescale (ticks per second) is its track's and
// is never mixed without rescale().
#pragma once

#include <chrono>
#include <compare>
#include <cstdint>

#include "server/base/clock.hpp"

namespace kapok::media {

using Timescale = std::uint32_t;  // ticks per second, never 0

struct Ticks {
  std::int64_t count = 0;

  constexpr auto operator<=>(const Ticks&) const = default;
  constexpr Ticks operator-() const { return {-count}; }
  constexpr Ticks& operator+=(Ticks by) { return count += by.count, *this; }
  constexpr Ticks& operator-=(Ticks by) { return count -= by.count, *this; }
  friend constexpr Ticks operator+(Ticks a, Ticks b) { return {a.count + b.count}; }
  friend constexpr Ticks operator-(Ticks a, Ticks b) { return {a.count - b.count}; }
  friend constexpr Ticks operator*(Ticks a, std::int64_t n) { return {a.count * n}; }
};

// Rounds to nearest, halves away from zero; exact through 128 bits.
constexpr Ticks rescale(Ticks ticks, std::int64_t from, std::int64_t to) {
  const __int128 scaled = static_cast<__int128>(ticks.count) * to;
  const __int128 half = from / 2;
  return {static_cast<std::int64_t>((scaled >= 0 ? scaled + half : scaled - half) / from)};
}
constexpr nanoseconds to_nanoseconds(Ticks ticks, Timescale timescale) {
  return nanoseconds(rescale(ticks, timescale, 1'000'000'000).count);
}
constexpr microseconds to_microseconds(Ticks ticks, Timescale timescale) {
  return microseconds(rescale(ticks, timescale, 1'000'000).count);
}
constexpr Ticks from_nanoseconds(nanoseconds time, Timescale timescale) {
  return rescale({time.count()}, 1'000'000'000, timescale);
}
constexpr Ticks from_microseconds(microseconds time, Timescale timescale) {
  return rescale({time.count()}, 1'000'000, timescale);
}

}  // namespace kapok::media
