// Handlers that are not media: API, health, metrics, static files. They see Request and Response
// values and know nothing of sockets or HTTP versions. Patterns are literal segments and {name}
// segments;
// "/log/{rest...}" takes the rest of the path.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "server/base/task.hpp"
#include "server/picture/protocols/http/message.hpp"

namespace kapok::delivery {

using PathParameters = std::map<std::string, std::string, std::less<>>;
// Runs on the shard of the connection. May suspend; must not block the thread.
using Handler =
    std::function<Task<http::Response>(std::shared_ptr<const http::Request>, PathParameters)>;

class Router {
 public:
  void add(http::Method method, std::string pattern, Handler handler);

  // Below `prefix` 404 and 405 are said in the caller's own words (an API's), not as plain text.
  using Refusal = std::function<http::Response(unsigned status)>;
  void refuse_below(std::string prefix, Refusal refusal);
  http::Response refuse(std::string_view path, unsigned status) const;

  struct Match {
    const Handler* handler = nullptr;  // null: no such path, or see `allowed`
    PathParameters parameters;
    std::vector<http::Method> allowed;  // other methods that the path has: 405 with Allow
  };
  Match match(http::Method method, std::string_view path) const;

 private:
  struct Route {
    http::Method method;
    std::vector<std::string> segments;
    Handler handler;
  };
  std::vector<Route> routes_;
  std::vector<std::pair<std::string, Refusal>> refusals_;
};

}  // namespace kapok::delivery
