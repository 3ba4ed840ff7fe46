#include "server/app/server/server.hpp"

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_future.hpp>
#include <cstdlib>
#include <filesystem>

#include "server/app/server/config_catalogue.hpp"
#include "server/app/server/config_print.hpp"
#include "server/app/server/off_shard.hpp"
#include "server/app/server/process_facts.hpp"
#include "server/hours/rules/rule_set.hpp"
#include "server/picture/channel/packager_rendering.hpp"

namespace kapok::app {
namespace {

// Spool jobs are a part each; a feed makes ten a second. Beyond this the disk is minutes behind.
constexpr std::size_t kMaxSpoolJobs = 65'536;
constexpr std::size_t kMaxColdReads = 16'384;
constexpr std::size_t kMaxOfficeJobs = 1'024;

std::size_t shard_count(const Config& config) {
  if (config.shards != 0) return config.shards;
  return std::max(1U, std::thread::hardware_concurrency());
}

std::string listen_address(const ListenerConfig& listener) {
  return listener.address == "::" ? std::string() : listener.address;
}

delivery::MediaAccess media_access(const Config& config) {
  return {config.anonymous == AnonymousViewing::allow ? delivery::Anonymous::allow
                                                      : delivery::Anonymous::edges,
          config.edges};
}

// Of "192.0.2.1:51234" or "[2001:db8::1]:51234".
boost::asio::ip::address address_of(std::string_view peer) {
  std::string text(peer.substr(0, peer.rfind(':')));
  if (text.starts_with('[') && text.ends_with(']')) text = text.substr(1, text.size() - 2);
  boost::system::error_code none;
  return boost::asio::ip::make_address(text, none);
}

std::uint64_t window_bytes(const Config& config) {
  if (const auto* size = std::get_if<ByteSize>(&config.window.bytes)) return size->bytes;
  std::error_code error;
  const auto space = std::filesystem::space(config.spool(), error);
  if (error) return 0;
  return space.capacity / 100 * std::get<DiskShare>(config.window.bytes).percent;
}

}  // namespace

Server::Server(CommandLine line, Config config, std::shared_ptr<LineLog> sink,
               const SystemClock& clock)
    : line_(std::move(line)),
      config_(std::move(config)),
      clock_(clock),
      sink_(std::move(sink)),
      log_(sink_) {}

Server::~Server() {
  take_down();
}

Result<std::unique_ptr<Server>> Server::start(CommandLine line, Config config,
                                              std::shared_ptr<LineLog> sink,
                                              const SystemClock& clock) {
  std::unique_ptr<Server> server(
      new Server(std::move(line), std::move(config), std::move(sink), clock));
  KAPOK_TRY(server->prepare_data());
  KAPOK_TRY(server->prepare_tls());
  KAPOK_TRY(server->prepare_hours());
  KAPOK_TRY(server->prepare_channels());
  server->prepare_library();
  KAPOK_TRY(server->prepare_api());
  KAPOK_TRY(server->listen());
  return server;
}

Result<void> Server::prepare_data() {
  auto lock = KAPOK_TRY(InstanceLock::take(config_.data_dir));
  lock_.emplace(std::move(lock));
  std::error_code error;
  std::filesystem::create_directories(config_.spool(), error);
  if (error)
    return fail(Errc::config,
                "the spool folder {} cannot be made: {}. Set data.dir or spool.dir to a folder "
                "that this user may write",
                config_.spool().string(), error.message());
  auto secrets = KAPOK_TRY(access::SecretStore::open(config_.data_dir / "secrets"));
  secrets_.emplace(std::move(secrets));
  auto admin = KAPOK_TRY(access::BearerToken::load_or_create(*secrets_, "admin-token"));
  auto regulator = KAPOK_TRY(access::BearerToken::load_or_create(*secrets_, "regulator-token"));
  admin_.emplace(std::move(admin));
  regulator_.emplace(std::move(regulator));
  if (admin_->created()) log_.info("admin.token_made", {{"file", admin_->path().string()}});
  if (regulator_->created())
    log_.info("regulator.token_made", {{"file", regulator_->path().string()}});
  auto token_key = KAPOK_TRY(secrets_->load_or_create("session-key"));
  signer_ = std::make_shared<const access::TokenSigner>(
      std::vector<access::TokenKey>{{1, std::move(token_key.bytes)}});
  auto pepper = KAPOK_TRY(secrets_->load_or_create("publish-pepper"));
  keys_ = KAPOK_TRY(
      KeyBook::open(config_.data_dir / "secrets" / "publish-keys", std::move(pepper.bytes)));
  KAPOK_TRY(keys_->configure(config_.channels));
  passphrases_.configure(config_.channels);
  ladders_ = std::make_unique<LadderBook>(config_.data_dir / "ladders", log_);
  ladders_->configure(config_.channels, ladder_presets(config_));
  return {};
}

Result<void> Server::prepare_tls() {
  if (!config_.https_on() && !config_.rtmps_on()) return {};
  net::TlsFiles files{config_.tls.certificate, config_.tls.key};
  if (files.certificate.empty()) {
    const auto folder = config_.data_dir / "secrets";
    files = {folder / "self-signed.crt", folder / "self-signed.key"};
    if (!std::filesystem::exists(files.certificate)) {
      KAPOK_TRY(net::make_self_signed(files, {"localhost", "127.0.0.1", "::1"}));
      log_.warn("tls.self_signed", {{"certificate", files.certificate.string()}});
    }
  }
  if (config_.https_on()) https_tls_ = KAPOK_TRY(net::TlsContext::load(files, {"http/1.1"}));
  if (config_.rtmps_on()) rtmps_tls_ = KAPOK_TRY(net::TlsContext::load(files, {}));
  return {};
}

Result<void> Server::prepare_hours() {
  auto made = KAPOK_TRY(catalogue_of(config_));
  const auto catalogue = std::make_shared<const catalogue::Catalogue>(std::move(made));
  const rules::RuleSet rules;
  ledger_ = KAPOK_TRY(ledger::Ledger::open(
      {.directory = config_.ledger(), .origin = config_.ledger_origin, .key = {}}, {}, log_,
      metrics_));
  KAPOK_TRY(ledger_->record_text(ledger::LeafKind::rule_set, rules::canonical_text(rules),
                                 rules.version, clock_.utc()));
  KAPOK_TRY(ledger_->record_text(ledger::LeafKind::catalogue, catalogue->canonical_text(),
                                 rules.version, clock_.utc()));
  metering::MeteringConfig config;
  config.token_lifetime = std::chrono::duration_cast<seconds>(config_.session_ttl);
  config.book.max_sessions = config_.limits.sessions;
  metering_ = std::make_unique<metering::Metering>(config, rules, catalogue, signer_, *ledger_,
                                                   clock_, log_, metrics_);
  return {};
}

std::vector<channel::ChannelConfig> Server::channel_configs(const Config& config) const {
  std::vector<channel::ChannelConfig> out;
  const std::uint64_t share =
      config.channels.empty() ? 0 : window_bytes(config) / config.channels.size();
  for (const ChannelConfig& from : config.channels) {
    channel::ChannelConfig to;
    to.id = from.id;
    to.title = from.title.empty() ? from.id : from.title;
    // In the configuration the lowest number goes first; the channel takes the largest.
    for (const FeedConfig& feed : from.feeds)
      to.feeds.push_back(
          {feed.name, -static_cast<int>(feed.priority), credential(from.id, feed.name)});
    if (to.feeds.empty()) to.feeds.push_back({"main", 0, credential(from.id, "main")});
    to.ladder = ladders_->of(from.id);
    if (!to.ladder) to.ladder = from.rungs;
    to.packager.channel = from.id;
    to.packager.directory = config.spool() / from.id;
    to.packager.segment_target = config.segment_target;
    to.packager.part_target = config.part_target;
    to.packager.window = config.window.time;
    to.packager.window_bytes = share;
    out.push_back(std::move(to));
  }
  return out;
}

std::string Server::credential(const std::string& channel, const std::string& feed) const {
  return keys_->credential(channel, feed) + passphrases_.credential(channel, feed);
}

Result<void> Server::prepare_channels() {
  if (const std::uint64_t bytes = config_.spool_reserve.bytes; bytes > 0)
    reserve_ = KAPOK_TRY(packaging::MemoryReserve::fill(config_.spool(), bytes, log_, metrics_));
  spool_reader_ = std::make_unique<WorkerThread>("spool-reader", kMaxColdReads);
  office_ = std::make_unique<WorkerThread>("office", kMaxOfficeJobs);
  shards_ = std::make_unique<Shards>(shard_count(config_));
  std::vector<WindowFanOut::Target> targets;
  for (std::size_t i = 0; i < shards_->size(); ++i) {
    // What is older plays nowhere any more.
    spool_writers_.push_back(std::make_unique<WorkerThread>(
        fmt::format("spool-writer{}", i),
        WorkerThread::Limits{.jobs = kMaxSpoolJobs,
                             .bytes = spool_backlog_bytes(shards_->size()),
                             .age = seconds(10)}));
    live_.push_back(std::make_unique<delivery::LiveStore>(shards_->executor(i), clock_));
    targets.push_back({shards_->executor(i), live_.back().get()});
  }
  windows_ = std::make_unique<WindowFanOut>(std::move(targets));
  channel::DirectoryServices services{
      .shards = shards_->executors(),
      .authorise = [this](std::string_view channel,
                          std::string_view key) { return keys_->authorise(channel, key); },
      .make_rendering =
          [this](const packaging::PackagerOptions& options,
                 const boost::asio::any_io_executor& home) {
            return channel::make_packager_rendering(options,
                                                    {.home = home,
                                                     .writer = writer_of(home),
                                                     .windows = *windows_,
                                                     .evidence = *metering_,
                                                     .clock = clock_,
                                                     .log = log_.with("channel", options.channel),
                                                     .metrics = metrics_,
                                                     .reserve = reserve_});
          },
      .clock = clock_,
      .log = log_,
      .metrics = metrics_,
      .transcoder = transcoder_program({"--worker"}),
      .evidence = metering_.get()};
  channels_ = std::make_unique<channel::ChannelDirectory>(std::move(services));
  feeds_ = std::make_unique<GuardedFeeds>(*channels_, shards_->executor(0), clock_, log_);
  return {};
}

WorkerThread& Server::writer_of(const boost::asio::any_io_executor& home) {
  for (std::size_t i = 1; i < shards_->size(); ++i)
    if (shards_->executor(i) == home) return *spool_writers_[i];
  return *spool_writers_.front();
}

Result<void> Server::prepare_api() {
  const auto root = config_.web_root.empty() ? found_web_root(this_program()) : config_.web_root;
  if (root.empty()) {
    log_.warn("web.absent", {{"remedy", "build the pages with scripts/build, or set web.root"}});
  } else {
    pages_ = KAPOK_TRY(delivery::StaticFiles::load(root));
  }
  bindings_ = std::make_unique<ApiBindings>(ApiBindings::Parts{
      .channels = *channels_,
      .metering = *metering_,
      .ledger = *ledger_,
      .keys = *keys_,
      .ladders = *ladders_,
      .signer = *signer_,
      .admin = *admin_,
      .regulator = *regulator_,
      .metrics = metrics_,
      .draining = draining_,
      .office = *office_,
      .clock = clock_,
      .srt_feeds = [this]() -> Task<std::vector<ingest::SrtFeedStats>> {
        if (!srt_) co_return std::vector<ingest::SrtFeedStats>();
        auto feeds = co_await srt_->feeds();
        co_return feeds;
      },
      .library = *library_,
      .library_home = library_shard_->executor(0),
      .find_ladder = [config =
                          config_](const std::string& name) { return find_ladder(config, name); },
      .keys_changed = [this]() -> Task<> {
        [[maybe_unused]] auto done = co_await channels_->configure(channel_configs(config_));
      },
      .ladders_changed = [this]() -> Task<> {
        [[maybe_unused]] auto done = co_await channels_->configure(channel_configs(config_));
      }});
  auto made = KAPOK_TRY(catalogue_of(config_));
  bindings_->set_catalogue(std::make_shared<const catalogue::Catalogue>(std::move(made)));
  api_ = std::make_unique<api::Api>(
      api::ApiServices{.channels = *bindings_,
                       .sessions = *bindings_,
                       .reports = *bindings_,
                       .ledger = *bindings_,
                       .keys = *bindings_,
                       .ladders = *bindings_,
                       .vod = *bindings_,
                       .authoriser = *bindings_,
                       .operations = *bindings_,
                       .clock = clock_,
                       .log = log_,
                       .metrics = metrics_},
      api::ApiLimits{.sessions_per_address_per_minute =
                         config_.limits.sessions_per_address_per_minute});
  api_->register_on(router_);
  return {};
}

std::vector<ingest::SrtPull> Server::pulls() const {
  std::vector<ingest::SrtPull> all;
  for (const ChannelConfig& channel : config_.channels)
    for (const FeedConfig& feed : channel.feeds) {
      if (!feed.fetched()) continue;
      ingest::SrtPull pull;
      pull.channel = channel.id;
      pull.feed = feed.name;
      pull.key = keys_->own_key(channel.id, feed.name);
      for (const std::string& url : feed.urls.texts)
        if (auto parsed = ingest::parse_srt_url(url)) pull.urls.push_back(*std::move(parsed));
      pull.bond = feed.bond == SrtBond::backup ? srt::GroupType::backup : srt::GroupType::broadcast;
      pull.home = shards_->executor(channels_->home_of(channel.id));
      all.push_back(std::move(pull));
    }
  return all;
}

Result<void> Server::make_srt() {
  auto rule = KAPOK_TRY(delivery::AccessRule::make(media_access(config_)));
  srt_output_ = std::make_unique<delivery::SrtOutput>(delivery::SrtOutputServices{
      .shards = shards_->executors(),
      .source = *channels_,
      .signer = signer_.get(),
      .may_watch_anonymously =
          [rule = std::move(rule)](std::string_view peer) {
            return rule.may_see_bare_live(address_of(peer));
          },
      .passphrase = [this](std::string_view channel) { return passphrases_.of(channel, ""); },
      .clock = clock_,
      .log = log_,
      .metrics = metrics_});
  ingest::SrtListenerOptions options;
  options.address = listen_address(config_.srt.listener);
  options.port = config_.srt.listener.port.number;
  // Without a port there is one for the calls that we make.
  if (!config_.srt.listener.port.on()) options.callers = ingest::SrtCallers::ignored;
  options.latency = std::chrono::duration_cast<milliseconds>(config_.srt.latency);
  options.receive_memory_bytes = config_.srt.receive_memory.bytes;
  options.receive_buffer_bytes = config_.srt.socket_buffer.bytes;
  options.limits.open = config_.srt.connections_per_address;
  options.limits.total = config_.srt.max_connections;
  srt_ = std::make_unique<ingest::SrtListener>(
      options,
      ingest::SrtListenerServices{
          .shards = shards_->executors(),
          .feeds = *feeds_,
          .viewers = srt_output_.get(),
          .passphrase = [this](std::string_view channel,
                               std::string_view feed) { return passphrases_.of(channel, feed); },
          .clock = clock_,
          .log = log_,
          .metrics = metrics_});
  return {};
}

Result<void> Server::listen() {
  if (config_.rtmp.port.on() || config_.rtmps_on()) {
    ingest::RtmpListenerOptions options;
    options.plain = config_.rtmp.port.on();
    options.address = listen_address(config_.rtmp);
    options.port = config_.rtmp.port.number;
    options.tls_port = config_.rtmps.port.number;
    options.limits.half_open = config_.limits.half_open_per_address;
    rtmp_ = std::make_unique<ingest::RtmpListener>(
        options, ingest::RtmpListenerServices{.shards = shards_->executors(),
                                              .feeds = *feeds_,
                                              .tls = rtmps_tls_,
                                              .clock = clock_,
                                              .log = log_,
                                              .metrics = metrics_});
  }
  if (config_.srt.listener.port.on() || !pulls().empty()) KAPOK_TRY(make_srt());
  delivery::HttpServerOptions options;
  if (config_.http.port.on())
    options.http =
        net::ListenOptions{.address = listen_address(config_.http),
                           .port = config_.http.port.number,
                           .what = "HTTP",
                           .remedy = "choose another with http.port (scripts/run --http-port)"};
  if (config_.https_on())
    options.https =
        net::ListenOptions{.address = listen_address(config_.https),
                           .port = config_.https.port.number,
                           .what = "HTTPS",
                           .remedy = "choose another with https.port (scripts/run --https-port)"};
  options.limits.idle = std::chrono::duration_cast<seconds>(config_.limits.idle);
  options.limits.body_bytes = config_.limits.request_body.bytes;
  options.addresses.open = config_.limits.connections_per_address;
  options.addresses.total = config_.limits.connections;
  options.access = media_access(config_);
  delivery::HttpServerServices services{.shards = {},
                                        .router = router_,
                                        .pages = pages_,
                                        .signer = signer_.get(),
                                        .evidence = *metering_,
                                        .clock = clock_,
                                        .log = log_,
                                        .metrics = metrics_,
                                        .disk = *spool_reader_,
                                        .tls = https_tls_};
  for (std::size_t i = 0; i < shards_->size(); ++i)
    services.shards.push_back({shards_->executor(i), live_[i].get()});
  http_ = std::make_unique<delivery::HttpServer>(std::move(options), std::move(services));

  // Channels first: what was live before a restart is there before the first viewer asks.
  tasks_ = std::make_unique<TaskGroup>(shards_->executor(0));
  signals_ = std::make_unique<SignalWatch>(
      shards_->executor(0), SignalWatch::Handlers{.drain =
                                                      [this] {
                                                        if (draining_.exchange(true)) return;
                                                        tasks_->spawn(drain_all());
                                                      },
                                                  .reload = [this] { tasks_->spawn(reload()); },
                                                  .end_now = [] { std::_Exit(130); }});
  shards_->run();
  library_shard_->run();
  auto opened =
      boost::asio::co_spawn(shards_->executor(0), channels_->configure(channel_configs(config_)),
                            boost::asio::use_future);
  KAPOK_TRY(opened.get());
  auto shelved = boost::asio::co_spawn(
      library_shard_->executor(0),
      [](vod::Library& library) -> Task<Result<void>> { co_return library.open(); }(*library_),
      boost::asio::use_future);
  KAPOK_TRY(shelved.get());
  if (rtmp_) KAPOK_TRY(rtmp_->start());
  if (srt_) KAPOK_TRY(srt_->start());
  KAPOK_TRY(http_->start());
  boost::asio::post(shards_->executor(0), [this] {
    if (srt_) tasks_->spawn(srt_->fetch(pulls()));
    tasks_->spawn(signals_->run());
    tasks_->spawn(housekeeping());
  });
  log_.info("server.started", {{"version", KAPOK_VERSION},
                               {"http", http_->http_port()},
                               {"https", http_->https_port()},
                               {"rtmp", rtmp_ ? rtmp_->port() : 0},
                               {"rtmps", rtmp_ ? rtmp_->tls_port() : 0},
                               {"srt", srt_ ? srt_->port() : 0},
                               {"channels", config_.channels.size()},
                               {"shards", shards_->size()},
                               {"data", config_.data_dir.string()}});
  if (const auto told = supervisor_.ready("serving"); !told)
    log_.warn("supervisor.notify", {{"why", told.error().message}});
  return {};
}

int Server::run() {
  drained_.get_future().wait();
  take_down();
  return 0;
}

// What has no other clock: held-back log lines, and the sign of life that systemd waits for.
Task<> Server::housekeeping() {
  boost::asio::steady_timer timer(shards_->executor(0));
  const auto watchdog = supervisor_.alive_interval();
  MonoTime next_alive = clock_.mono();
  while (!draining_) {
    timer.expires_after(seconds(1));
    [[maybe_unused]] auto [error] = co_await timer.async_wait(kAsValue);
    sink_->tick();
    if (watchdog && clock_.mono() >= next_alive) {
      if (const auto told = supervisor_.alive(); !told)
        log_.warn("supervisor.notify", {{"why", told.error().message}});
      next_alive = clock_.mono() + *watchdog;
    }
  }
}

Task<> Server::drain_all() {
  log_.info("server.draining", {{"patience_ms", config_.limits.drain.count() / 1000}});
  if (const auto told = supervisor_.stopping(); !told)
    log_.warn("supervisor.notify", {{"why", told.error().message}});
  // Publishers are asked to come back elsewhere, then their last packets are written, then viewers
  // get what is there: nobody is promised a part that will not come.
  const auto patience = std::chrono::duration_cast<milliseconds>(config_.limits.drain);
  if (rtmp_) co_await rtmp_->drain(std::min<nanoseconds>(patience, seconds(2)));
  if (srt_) co_await srt_->drain(std::min<nanoseconds>(patience, seconds(2)));
  if (srt_output_) co_await srt_output_->drain();
  // A file's worker is not waited for: the next server goes on where it was.
  co_await on_shard(library_shard_->executor(0), library_->close());
  co_await channels_->close();
  co_await http_->drain(patience);
  signals_->stop();
  drained_.set_value();
}

Task<> Server::reload() {
  log_.info("server.reloading");
  if (const auto told = supervisor_.reloading(clock_); !told)
    log_.warn("supervisor.notify", {{"why", told.error().message}});
  const auto read = [this]() -> Result<LoadedConfig> {
    return load_config_file(line_.config, line_.overrides);
  };
  auto loaded = co_await off_shard<LoadedConfig>(*office_, read);
  std::string why;
  if (!loaded) {
    why = loaded.error().message;
  } else if (!loaded->ok()) {
    why = format_problem(loaded->errors.front(), "error");
  } else {
    why = co_await apply(std::move(loaded->config));
  }
  if (why.empty()) {
    log_.info("server.reloaded", {{"channels", config_.channels.size()}});
  } else {
    // What could not be applied stays as it was: a typing error must not end a broadcast.
    log_.error("server.reload_failed", {{"why", why}});
  }
  if (const auto told = supervisor_.ready(why.empty() ? "serving" : "serving; reload failed");
      !told)
    log_.warn("supervisor.notify", {{"why", told.error().message}});
}

Task<std::string> Server::apply(Config fresh) {
  auto made = catalogue_of(fresh);
  if (!made) co_return made.error().message;
  const auto catalogue = std::make_shared<const catalogue::Catalogue>(*std::move(made));
  if (const auto done = keys_->configure(fresh.channels); !done) co_return done.error().message;
  passphrases_.configure(fresh.channels);
  const auto blocking = [this, text = catalogue->canonical_text(), channels = fresh.channels,
                         presets = ladder_presets(fresh)]() -> Result<void> {
    if (https_tls_) KAPOK_TRY(https_tls_->reload());
    if (rtmps_tls_) KAPOK_TRY(rtmps_tls_->reload());
    if (pages_) KAPOK_TRY(pages_->reload());
    ladders_->configure(channels, presets);
    return ledger_->record_text(ledger::LeafKind::catalogue, text, rules::RuleSet{}.version,
                                clock_.utc());
  };
  std::string why;
  const auto done = co_await off_shard<void>(*office_, blocking);
  if (!done) why = done.error().message;
  if (done) {
    metering_->set_catalogue(catalogue);
    bindings_->set_catalogue(catalogue);
  }
  // Ports, folders and limits are those of the start: a new process takes new ones.
  for (const ConfigChange& change : config_changes(config_, fresh))
    if (change.applies == Applies::on_restart)
      log_.warn("server.restart_needed", {{"setting", change.key}});
  sink_->set_level(fresh.log_level);
  config_.log_level = fresh.log_level;
  config_.channels = std::move(fresh.channels);
  config_.enterprises = std::move(fresh.enterprises);
  config_.works = std::move(fresh.works);
  config_.programmes = std::move(fresh.programmes);
  config_.window = fresh.window;
  config_.segment_target = fresh.segment_target;
  config_.part_target = fresh.part_target;
  auto configs = channel_configs(config_);
  const auto configured = co_await channels_->configure(std::move(configs));
  if (!configured) why += (why.empty() ? "" : "; ") + configured.error().message;
  if (srt_) {
    co_await srt_->fetch(pulls());
  } else if (!pulls().empty()) {
    log_.warn("server.restart_needed", {{"setting", "channel.feed.url"}});
  }
  co_return why;
}

void Server::take_down() {
  if (!shards_) return;
  // A start that failed half-way has shards that run and nobody who drained them.
  if (!draining_.exchange(true)) {
    if (tasks_) {
      boost::asio::post(shards_->executor(0), [this] { signals_->stop(); });
      auto closed =
          boost::asio::co_spawn(shards_->executor(0), close_unstarted(), boost::asio::use_future);
      closed.wait();
    }
  }
  if (library_shard_) library_shard_->stop();
  for (auto& store : live_) store->stop();
  shards_->stop();
  http_.reset();
  rtmp_.reset();
  srt_.reset();
  srt_output_.reset();
  library_.reset();
  library_shard_.reset();
  feeds_.reset();
  channels_.reset();
  spool_writers_.clear();
  spool_reader_.reset();
  office_.reset();
  if (metering_) {
    if (!metering_->drain(std::chrono::duration_cast<milliseconds>(config_.limits.drain)))
      log_.error("metering.leaves_lost", {{"remedy", "make room on the ledger's disk"}});
    metering_.reset();
  }
  ledger_.reset();
  shards_.reset();
  log_.info("server.stopped");
}

Task<> Server::close_unstarted() {
  if (rtmp_) co_await rtmp_->drain(nanoseconds(0));
  if (srt_) co_await srt_->drain(nanoseconds(0));
  if (srt_output_) co_await srt_output_->drain();
  if (library_) co_await on_shard(library_shard_->executor(0), library_->close());
  co_await channels_->close();
  if (http_) co_await http_->drain(milliseconds(0));
}

}  // namespace kapok::app
