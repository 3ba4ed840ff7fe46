#include "server/api/srt_json.hpp"

#include <algorithm>
#include <boost/json/array.hpp>
#include <cmath>

namespace kapok::api {

namespace json = boost::json;

namespace {

double in_ms(microseconds time) {
  return static_cast<double>(time.count()) / 1000;
}
double rounded(double value) {
  return std::isfinite(value) ? std::round(value * 1000) / 1000 : 0;
}

json::object link_json(const srt::GroupLinkStats& each, const std::string& peer, double share) {
  const srt::LinkStats& link = each.link;
  json::object out;
  out["peer"] = json::string(peer);
  out["state"] = json::string(srt::name_of(each.state));
  out["weight"] = each.weight;
  out["encryption"] = json::string(link.encryption);
  out["latency_ms"] = link.receive_latency.count();
  out["rtt_ms"] = in_ms(link.rtt);
  out["rtt_variance_ms"] = in_ms(link.rtt_variance);
  out["packets"] = link.packets_received;
  out["bytes"] = link.bytes_received;
  out["lost"] = link.packets_lost;
  out["retransmitted"] = link.packets_retransmitted_received;
  out["duplicate"] = link.packets_duplicate;
  out["belated"] = link.packets_belated;
  out["undecrypted"] = link.packets_undecrypted;
  out["recovered_by_fec"] = link.packets_recovered_by_fec;
  out["share"] = rounded(share);
  out["bits_per_second"] = rounded(link.receive_mbps * 1e6);
  out["capacity_bits_per_second"] = rounded(link.link_capacity_mbps * 1e6);
  out["flight"] = link.flight_packets;
  return out;
}

}  // namespace

json::object srt_json(const SrtFeedView& feed) {
  const srt::GroupStats& all = feed.transport;
  json::object out;
  out["bonded"] = feed.bonded;
  out["delivered"] = all.packets_delivered;
  out["dropped"] = all.packets_dropped;
  out["buffer_ms"] = all.buffered.count();
  out["buffer_bytes"] = all.buffered_bytes;
  out["continuity_errors"] = feed.continuity_errors;
  json::array links;
  for (std::size_t i = 0; i < all.links.size() && i < feed.peers.size(); ++i) {
    const double whole = static_cast<double>(all.packets_delivered);
    const double share =
        whole > 0 ? static_cast<double>(all.links[i].link.packets_contributed) / whole : 0;
    links.push_back(link_json(all.links[i], feed.peers[i], std::min(share, 1.0)));
  }
  out["links"] = std::move(links);
  return out;
}

}  // namespace kapok::api
