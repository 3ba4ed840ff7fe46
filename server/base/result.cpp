#include "server/base/result.hpp"

#include <cstring>

namespace kapok {

std::string_view name_of(Errc code) {
  switch (code) {
    case Errc::malformed:
      return "malformed";
    case Errc::unsupported:
      return "unsupported";
    case Errc::limit:
      return "limit";
    case Errc::denied:
      return "denied";
    case Errc::not_found:
      return "not_found";
    case Errc::conflict:
      return "conflict";
    case Errc::timeout:
      return "timeout";
    case Errc::closed:
      return "closed";
    case Errc::io:
      return "io";
    case Errc::full:
      return "full";
    case Errc::config:
      return "config";
    case Errc::internal:
      return "internal";
  }
  return "unknown";
}

Error system_error(int number, std::string_view what) {
  char text[128] = {};
  const char* described = ::strerror_r(number, text, sizeof text);
  const Errc code = number == ENOENT                         ? Errc::not_found
                    : (number == EACCES || number == EPERM)  ? Errc::denied
                    : (number == ENOSPC || number == EDQUOT) ? Errc::full
                                                             : Errc::io;
  return Error{code, fmt::format("{}: {}", what, described)};
}

}  // namespace kapok
