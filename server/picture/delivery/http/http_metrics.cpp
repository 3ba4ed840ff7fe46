#include "server/picture/delivery/http/http_metrics.hpp"

#include <algorithm>
#include <string>

namespace kapok::delivery {

std::string_view name_of(RouteClass route) {
  constexpr std::string_view kNames[kRouteClasses] = {
      "playlist", "blocking_playlist", "manifest", "init",
      "segment",  "growing_segment",   "part",     "image",
      "time",     "handler",           "page",     "refused"};
  return kNames[static_cast<std::size_t>(route)];
}

HttpMetrics::HttpMetrics(Metrics& metrics)
    : open_connections(
          metrics.gauge("kapok_http_connections", "Open HTTP and HTTPS connections", {})),
      waiting_requests(metrics.gauge("kapok_http_waiting_requests",
                                     "Requests held for a part or segment to come", {})),
      slow_clients_cut(metrics.counter("kapok_http_slow_clients_cut_total",
                                       "Connections closed because the client hardly read", {})),
      connections_refused(metrics.counter("kapok_http_connections_refused_total",
                                          "Connections over a limit, closed at once", {})),
      cold_reads(metrics.counter("kapok_http_cold_reads_total",
                                 "Reads of media that was not in the page cache", {})),
      protocol_errors(metrics.counter("kapok_http_protocol_errors_total",
                                      "Connections closed because of what the client sent", {})),
      metrics_(metrics) {}

void HttpMetrics::answered(RouteClass route, unsigned status) {
  const auto found = std::ranges::find(kStatuses, status);
  Counter*& counter = answered_[static_cast<std::size_t>(route)]
                               [static_cast<std::size_t>(found - kStatuses.begin())];
  if (counter == nullptr)
    counter = &metrics_.counter(
        "kapok_http_requests_total", "HTTP requests answered",
        {{"route", std::string(name_of(route))},
         {"status", found == kStatuses.end() ? "other" : std::to_string(status)}});
  counter->increment();
}

void HttpMetrics::sent(RouteClass route, std::uint64_t bytes) {
  Counter*& counter = sent_[static_cast<std::size_t>(route)];
  if (counter == nullptr)
    counter = &metrics_.counter("kapok_http_sent_bytes_total", "Body bytes handed to the network",
                                {{"route", std::string(name_of(route))}});
  counter->add(static_cast<double>(bytes));
}

}  // namespace kapok::delivery
