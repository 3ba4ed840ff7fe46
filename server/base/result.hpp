// Errors as values. Result<T> is std::expected<T, Error>; an Error says what was wrong in the
// domain's words and, where a person reads it, what to do about it. Add context once, on the way
// up, with Error::within. KAPOK_TRY unwraps or returns; it may not be used in a coroutine
// (KAPOK_CO_TRY there).
#pragma once

#include <fmt/format.h>

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <utility>

namespace kapok {

enum class Errc : std::uint8_t {
  malformed,    // bytes that break their format
  unsupported,  // well-formed, but we do not do this
  limit,        // over one of our bounds
  denied,       // no right to it
  not_found,
  conflict,  // somebody else holds it
  timeout,
  closed,    // the other side, or we, ended it
  io,        // the operating system said no
  full,      // no room: queue, disk, table
  config,    // a person must change a setting
  internal,  // our own invariant
};

std::string_view name_of(Errc code);

struct Error {
  Errc code = Errc::internal;
  std::string message;

  // The same error with where it happened in front: "hvcC: array cut short".
  Error within(std::string_view place) && {
    message.insert(0, ": ");
    message.insert(0, place);
    return std::move(*this);
  }
};

template <class T = void>
using Result = std::expected<T, Error>;

inline std::unexpected<Error> fail(Errc code, std::string message) {
  return std::unexpected(Error{code, std::move(message)});
}

template <class... Args>
  requires(sizeof...(Args) > 0)
std::unexpected<Error> fail(Errc code, fmt::format_string<Args...> format, Args&&... args) {
  return std::unexpected(Error{code, fmt::format(format, std::forward<Args>(args)...)});
}

// An Error from errno (or another system error number): "open /x: No such file or directory".
Error system_error(int number, std::string_view what);

}  // namespace kapok

// auto value = KAPOK_TRY(parse(bytes));  or, for Result<void>,  KAPOK_TRY(check(bytes));
// A GNU statement expression: clang and GCC have them, and libstdc++ 12's expected has no and_then.
#define KAPOK_TRY(expression)                                                           \
  ({                                                                                    \
    auto kapok_try_result = (expression);                                               \
    if (!kapok_try_result) return std::unexpected(std::move(kapok_try_result).error()); \
    *std::move(kapok_try_result);                                                       \
  })
#define KAPOK_CO_TRY(expression)                                                           \
  ({                                                                                       \
    auto kapok_try_result = (expression);                                                  \
    if (!kapok_try_result) co_return std::unexpected(std::move(kapok_try_result).error()); \
    *std::move(kapok_try_result);                                                          \
  })
