// The HTTP API: registers its routes on a delivery::Router. Checks who is asking, turns errors into
// problems, logs what an administrator or regulator did. One object serves every shard: handlers
// run on the shard of the connection; the two small tables that they share are behind a mutex. Must
// outlive the router.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>

#include "server/access/failure_limit.hpp"
#include "server/api/ports.hpp"
#include "server/api/route.hpp"
#include "server/base/clock.hpp"
#include "server/base/log.hpp"
#include "server/base/metrics.hpp"
#include "server/net/address_rate.hpp"
#include "server/picture/delivery/http/router.hpp"

namespace kapok::api {

struct ApiServices {
  ChannelsPort& channels;
  SessionsPort& sessions;
  ReportsPort& reports;
  LedgerPort& ledger;
  KeysPort& keys;
  LaddersPort& ladders;
  VodPort& vod;
  const Authoriser& authoriser;
  const OperationsPort& operations;
  const Clock& clock;
  Log log;
  Metrics& metrics;
};

struct ApiLimits {
  std::uint32_t sessions_per_address_per_minute = 60;
};

class Api {
 public:
  Api(ApiServices services, ApiLimits limits);
  Api(const Api&) = delete;
  Api& operator=(const Api&) = delete;

  void register_on(delivery::Router& router);

  // What register_on binds; tests call it directly.
  Task<http::Response> answer(const Route& route, std::shared_ptr<const http::Request> request,
                              delivery::PathParameters parameters);

  const ApiServices& services() const { return services_; }
  // False: this address has opened too many sessions in the last minute.
  bool admit_session(std::string_view address);

 private:
  struct Grant {
    std::string_view who;
  };
  std::expected<Grant, Problem> authorise(const Route& route, const http::Request& request);
  Task<Answer> run(const Route& route, Call call);

  ApiServices services_;
  Counter& requests_;
  Counter& problems_;
  Counter& denied_;
  // A mutex, because every shard has connections of the same address and a guesser must not get a
  // fresh budget from each. Held for a table look-up only.
  std::mutex mutex_;
  net::AddressRate session_rate_;
  access::FailureLimit failures_;
};

}  // namespace kapok::api
