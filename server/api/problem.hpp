// What the API answers when it cannot do what was asked: application/problem+json [RFC 9457] with
// the cause and what to do about it. Handlers return it as the error of a Result-like expected.
#pragma once

#include <expected>
#include <optional>
#include <string>

#include "server/base/clock.hpp"
#include "server/base/result.hpp"
#include "server/picture/protocols/http/message.hpp"

namespace kapok::api {

struct Problem {
  unsigned status = 500;
  std::string code;    // stable, for programs: "malformed", "not_found", "rate_limited"
  std::string detail;  // the cause, for people
  std::string remedy;
  std::optional<seconds> retry_after;

  Problem(unsigned http_status, std::string stable_code, std::string cause, std::string todo)
      : status(http_status),
        code(std::move(stable_code)),
        detail(std::move(cause)),
        remedy(std::move(todo)) {}
  // Errors of ports; what they say about our insides (internal, io, config) stays out.
  Problem(Error error);  // NOLINT(google-explicit-constructor): KAPOK_CO_TRY converts
};

using Answer = std::expected<http::Response, Problem>;

http::Response to_response(const Problem& problem);

}  // namespace kapok::api
