// Binds the API's ports to the parts that answer them: channels, sessions, ledger, reports, keys,
// roles, operations. Each call goes to the thread that owns what it asks for and comes back.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "server/access/bearer_token.hpp"
#include "server/api/ports.hpp"
#include "server/app/server/key_book.hpp"
#include "server/app/server/ladder_book.hpp"
#include "server/app/server/prometheus_metrics.hpp"
#include "server/base/worker_thread.hpp"
#include "server/hours/catalogue/catalogue.hpp"
#include "server/hours/ledger/ledger.hpp"
#include "server/hours/metering/metering.hpp"
#include "server/picture/channel/channel_directory.hpp"
#include "server/picture/ingest/srt/listener.hpp"
#include "server/picture/vod/library.hpp"

namespace kapok::app {

class ApiBindings final : public api::ChannelsPort,
                          public api::SessionsPort,
                          public api::ReportsPort,
                          public api::LedgerPort,
                          public api::KeysPort,
                          public api::LaddersPort,
                          public api::VodPort,
                          public api::Authoriser,
                          public api::OperationsPort {
 public:
  struct Parts {
    channel::ChannelDirectory& channels;
    metering::Metering& metering;
    ledger::Ledger& ledger;
    KeyBook& keys;
    LadderBook& ladders;
    const access::TokenSigner& signer;
    const access::BearerToken& admin;
    const access::BearerToken& regulator;
    const PrometheusMetrics& metrics;
    const std::atomic<bool>& draining;
    WorkerThread& office;
    const Clock& clock;
    std::function<Task<std::vector<ingest::SrtFeedStats>>()> srt_feeds;
    vod::Library& library;
    boost::asio::any_io_executor library_home;
    std::function<Result<media::Ladder>(const std::string&)> find_ladder;  // blocks
    // After a key has changed: channels compare and close whoever published with the old one.
    std::function<Task<>()> keys_changed;
    // Likewise, after a channel was given another ladder.
    std::function<Task<>()> ladders_changed;
  };
  explicit ApiBindings(Parts parts) : parts_(std::move(parts)) {}

  // At start and after a reload; any thread.
  void set_catalogue(std::shared_ptr<const catalogue::Catalogue> catalogue) {
    const std::lock_guard lock(mutex_);
    catalogue_ = std::move(catalogue);
  }

  Task<std::vector<api::ChannelView>> list() override;
  Task<Result<api::ChannelView>> find(std::string channel) override;
  Task<std::vector<api::SrtFeedView>> srt_feeds(std::string channel) override;

  Task<Result<api::OpenedSession>> open(api::SessionRequest request) override;
  Task<Result<void>> beacon(std::string session, metering::BeaconReport report) override;
  Task<Result<void>> close(std::string session, std::string token) override;
  Task<api::SessionCounts> counts() override;

  Task<Result<std::string>> hours(api::ReportQuery query) override;

  Task<Result<std::string>> checkpoint() override;
  Task<Result<Buffer>> tile(ledger::TilePath path) override;

  Task<Result<api::MadeKey>> make(std::string channel, std::string feed) override;
  Task<Result<void>> revoke(std::string channel, std::string feed) override;

  Task<Result<std::vector<media::Ladder>>> presets() override;
  Task<std::expected<media::Ladder, api::Problem>> set_ladder(std::string channel,
                                                              boost::json::object wanted) override;
  Task<Result<void>> reset_ladder(std::string channel) override;
  Task<std::vector<vod::ItemFacts>> vod_items() override;
  Task<Result<vod::ItemFacts>> vod_item(std::string id) override;
  Task<Result<vod::ItemFacts>> add_vod(api::VodRequest request) override;
  Task<Result<void>> remove_vod(std::string id) override;

  api::Roles roles_of(std::string_view authorization) const override;

  std::string metrics_text() const override { return parts_.metrics.render(); }
  std::vector<api::NotReady> not_ready() const override;

 private:
  std::shared_ptr<const catalogue::Catalogue> catalogue() const {
    const std::lock_guard lock(mutex_);
    return catalogue_;
  }
  api::ChannelView view_of(channel::ChannelFacts facts) const;
  Result<void> check_owner(std::string_view token, std::string_view session) const;
  Result<std::string> write_report(const api::ReportQuery& query) const;  // blocks

  Parts parts_;
  // A mutex, because a reload replaces the catalogue while every shard reads it; held for a copy of
  // the pointer.
  mutable std::mutex mutex_;
  std::shared_ptr<const catalogue::Catalogue> catalogue_;
};

}  // namespace kapok::app
