// The composition root: makes every part of kapok-server from the configuration, joins them, runs
// until told to drain, and takes them down in the reverse order. The only place that names concrete
// classes of both wings. Made and run on the main thread; start-up blocks, nothing after it does.
#pragma once

#include <atomic>
#include <future>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "server/access/bearer_token.hpp"
#include "server/access/secret_store.hpp"
#include "server/access/session_token.hpp"
#include "server/api/api.hpp"
#include "server/app/server/api_bindings.hpp"
#include "server/app/server/command_line.hpp"
#include "server/app/server/config_load.hpp"
#include "server/app/server/guarded_feeds.hpp"
#include "server/app/server/instance_lock.hpp"
#include "server/app/server/key_book.hpp"
#include "server/app/server/line_log.hpp"
#include "server/app/server/prometheus_metrics.hpp"
#include "server/app/server/shards.hpp"
#include "server/app/server/signals.hpp"
#include "server/app/server/srt_passphrases.hpp"
#include "server/app/server/supervisor.hpp"
#include "server/app/server/window_fan_out.hpp"
#include "server/base/worker_thread.hpp"
#include "server/hours/ledger/ledger.hpp"
#include "server/hours/metering/metering.hpp"
#include "server/picture/channel/channel_directory.hpp"
#include "server/picture/delivery/http/http_server.hpp"
#include "server/picture/delivery/http/live_store.hpp"
#include "server/picture/delivery/http/router.hpp"
#include "server/picture/delivery/http/static_files.hpp"
#include "server/picture/delivery/srt/output.hpp"
#include "server/picture/ingest/rtmp/listener.hpp"
#include "server/picture/ingest/srt/listener.hpp"
#include "server/picture/ingest/srt/pull.hpp"
#include "server/picture/vod/library.hpp"

namespace kapok::app {

class Server {
 public:
  // Errors name the cause and the remedy; nothing is left running then.
  static Result<std::unique_ptr<Server>> start(CommandLine line, Config config,
                                               std::shared_ptr<LineLog> sink,
                                               const SystemClock& clock);
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  // Returns after a drain, with the exit status.
  int run();

 private:
  Server(CommandLine line, Config config, std::shared_ptr<LineLog> sink, const SystemClock& clock);
  Result<void> prepare_data();
  Result<void> prepare_tls();
  Result<void> prepare_hours();
  Result<void> prepare_channels();
  void prepare_library();
  Result<void> prepare_api();
  Result<void> listen();
  Result<void> make_srt();
  std::vector<ingest::SrtPull> pulls() const;
  // What of a feed's secrets a channel compares, to close whoever published with the old ones.
  std::string credential(const std::string& channel, const std::string& feed) const;
  std::vector<channel::ChannelConfig> channel_configs(const Config& config) const;
  WorkerThread& writer_of(const boost::asio::any_io_executor& home);
  channel::ChildProgram transcoder_program(std::vector<std::string> arguments);

  Task<> housekeeping();
  Task<> drain_all();
  Task<> reload();
  // What kept it from being applied; empty: nothing.
  Task<std::string> apply(Config fresh);
  Task<> close_unstarted();
  void take_down();

  CommandLine line_;
  Config config_;  // the first shard's after run()
  const SystemClock& clock_;
  std::shared_ptr<LineLog> sink_;
  Log log_;
  PrometheusMetrics metrics_;
  Supervisor supervisor_;
  std::optional<InstanceLock> lock_;
  std::atomic<bool> draining_ = false;

  // In the order of construction; taken down in the reverse.
  std::shared_ptr<packaging::MemoryReserve> reserve_;         // null: none
  std::vector<std::unique_ptr<WorkerThread>> spool_writers_;  // a shard's channels share one
  std::unique_ptr<WorkerThread> spool_reader_;
  std::unique_ptr<WorkerThread> office_;  // reports, keys, reloads: whatever blocks and can wait
  std::unique_ptr<Shards> shards_;
  std::optional<access::SecretStore> secrets_;
  std::optional<access::BearerToken> admin_;
  std::optional<access::BearerToken> regulator_;
  std::shared_ptr<const access::TokenSigner> signer_;
  std::unique_ptr<KeyBook> keys_;
  std::unique_ptr<LadderBook> ladders_;
  std::shared_ptr<net::TlsContext> https_tls_;
  std::shared_ptr<net::TlsContext> rtmps_tls_;
  std::unique_ptr<ledger::Ledger> ledger_;
  std::unique_ptr<metering::Metering> metering_;
  std::vector<std::unique_ptr<delivery::LiveStore>> live_;
  std::unique_ptr<WindowFanOut> windows_;
  std::unique_ptr<channel::ChannelDirectory> channels_;
  std::unique_ptr<GuardedFeeds> feeds_;
  std::unique_ptr<Shards> library_shard_;       // one, of the library alone
  std::shared_ptr<channel::CoreShares> cores_;  // of all transcoders
  std::unique_ptr<vod::Shelf> shelf_;
  std::unique_ptr<vod::Library> library_;
  std::unique_ptr<ingest::RtmpListener> rtmp_;
  SrtPassphrases passphrases_;
  std::unique_ptr<delivery::SrtOutput> srt_output_;
  std::unique_ptr<ingest::SrtListener> srt_;
  std::shared_ptr<delivery::StaticFiles> pages_;
  delivery::Router router_;
  std::unique_ptr<ApiBindings> bindings_;
  std::unique_ptr<api::Api> api_;
  std::unique_ptr<delivery::HttpServer> http_;
  std::unique_ptr<TaskGroup> tasks_;  // the first shard's
  std::unique_ptr<SignalWatch> signals_;
  std::promise<void> drained_;
};

}  // namespace kapok::app
