// What HTTP delivery counts. One per shard: series are looked up once and kept.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "server/base/metrics.hpp"

namespace kapok::delivery {

enum class RouteClass : std::uint8_t {
  playlist,
  blocking_playlist,
  manifest,
  init,
  segment,
  growing_segment,
  part,
  image,
  time,
  handler,
  page,
  refused,  // broken requests and unknown paths
};
constexpr std::size_t kRouteClasses = 12;
std::string_view name_of(RouteClass route);

class HttpMetrics {
 public:
  explicit HttpMetrics(Metrics& metrics);

  void answered(RouteClass route, unsigned status);
  void sent(RouteClass route, std::uint64_t bytes);

  Gauge& open_connections;
  Gauge& waiting_requests;
  Counter& slow_clients_cut;
  Counter& connections_refused;
  Counter& cold_reads;
  Counter& protocol_errors;

 private:
  static constexpr std::array<unsigned, 13> kStatuses = {200, 204, 206, 304, 400, 401, 403,
                                                         404, 405, 416, 429, 500, 503};
  Metrics& metrics_;
  std::array<std::array<Counter*, kStatuses.size() + 1>, kRouteClasses> answered_{};
  std::array<Counter*, kRouteClasses> sent_{};
};

}  // namespace kapok::delivery
