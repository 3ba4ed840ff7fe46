#include "server/picture/delivery/http/router.hpp"

#include <algorithm>
#include <cassert>
#include <utility>

namespace kapok::delivery {

namespace {

std::vector<std::string_view> split(std::string_view path) {
  std::vector<std::string_view> segments;
  path.remove_prefix(std::min<std::size_t>(1, path.size()));
  while (true) {
    const std::size_t end = path.find('/');
    segments.push_back(path.substr(0, end));
    if (end == std::string_view::npos) return segments;
    path.remove_prefix(end + 1);
  }
}

bool is_parameter(std::string_view segment) {
  return segment.size() > 2 && segment.front() == '{' && segment.back() == '}';
}
std::string_view parameter_name(std::string_view segment) {
  return segment.substr(1, segment.size() - 2);
}
constexpr std::string_view kRest = "...";

}  // namespace

void Router::add(http::Method method, std::string pattern, Handler handler) {
  assert(pattern.starts_with('/') && handler);
  Route route{.method = method, .segments = {}, .handler = std::move(handler)};
  for (const std::string_view segment : split(pattern)) route.segments.emplace_back(segment);
  routes_.push_back(std::move(route));
}

void Router::refuse_below(std::string prefix, Refusal refusal) {
  refusals_.emplace_back(std::move(prefix), std::move(refusal));
}

http::Response Router::refuse(std::string_view path, unsigned status) const {
  for (const auto& [prefix, refusal] : refusals_)
    if (path.starts_with(prefix)) return refusal(status);
  http::Response response = http::Response::text(
      status, "text/plain; charset=utf-8", status == 405 ? "method not allowed\n" : "not here\n");
  response.with("Cache-Control", "no-store");
  return response;
}

Router::Match Router::match(http::Method method, std::string_view path) const {
  Match found;
  const std::vector<std::string_view> given = split(path);
  for (const Route& route : routes_) {
    PathParameters parameters;
    bool fits = true;
    std::size_t i = 0;
    for (; fits && i < route.segments.size(); ++i) {
      const std::string& wanted = route.segments[i];
      if (is_parameter(wanted) && parameter_name(wanted).ends_with(kRest)) {
        // All that is left, at least one segment.
        if (i >= given.size()) {
          fits = false;
          break;
        }
        std::string_view name = parameter_name(wanted);
        name.remove_suffix(kRest.size());
        const char* from = given[i].data();
        parameters.emplace(name, std::string_view(from, path.data() + path.size() - from));
        i = given.size();
        break;
      }
      if (i >= given.size())
        fits = false;
      else if (is_parameter(wanted))
        fits = !given[i].empty() && parameters.emplace(parameter_name(wanted), given[i]).second;
      else
        fits = wanted == given[i];
    }
    if (!fits || i != given.size()) continue;
    if (route.method == method) {
      found.handler = &route.handler;
      found.parameters = std::move(parameters);
      return found;
    }
    if (std::ranges::find(found.allowed, route.method) == found.allowed.end())
      found.allowed.push_back(route.method);
  }
  return found;
}

}  // namespace kapok::delivery
