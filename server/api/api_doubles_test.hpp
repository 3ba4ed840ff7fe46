// Ports of the API that answer what a test put in and remember what was asked of them.
#pragma once

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/json.hpp>
#include <set>
#include "server/api/api.hpp"
#include "server/api/openapi.hpp"

namespace kapok::api {

struct FakeChannels final : ChannelsPort {
  std::vector<ChannelView> views;
  Task<std::vector<ChannelView>> list() override { co_return views; }
  Task<Result<ChannelView>> find(std::string channel) override {
    for (const ChannelView& view : views)
      if (view.facts.id == channel) co_return view;
    co_return fail(Errc::not_found, "no");
  }
  std::vector<SrtFeedView> srt;
  Task<std::vector<SrtFeedView>> srt_feeds(std::string) override { co_return srt; }
};

struct FakeSessions final : SessionsPort {
  std::vector<SessionRequest> opened;
  std::vector<metering::BeaconReport> beacons;
  std::vector<std::string> closed;
  std::optional<Error> refuse;
  bool throws = false;
  Task<Result<OpenedSession>> open(SessionRequest request) override {
    if (throws) throw std::bad_alloc();
    if (refuse) co_return std::unexpected(*refuse);
    opened.push_back(request);
    co_return OpenedSession{"00112233445566778899aabbccddeeff", "AbC", UtcTime(seconds(1)),
                            seconds(10)};
  }
  Task<Result<void>> beacon(std::string session, metering::BeaconReport beacon) override {
    if (refuse) co_return std::unexpected(*refuse);
    beacons.push_back(std::move(beacon));
    closed.push_back("beacon:" + session);
    co_return Result<void>{};
  }
  Task<Result<void>> close(std::string session, std::string token) override {
    closed.push_back(session + ":" + token);
    co_return Result<void>{};
  }
  Task<SessionCounts> counts() override { co_return SessionCounts{3, {{"demo", 3}}}; }
};

struct FakeReports final : ReportsPort {
  std::vector<ReportQuery> asked;
  Task<Result<std::string>> hours(ReportQuery query) override {
    asked.push_back(query);
    co_return query.format == ReportFormat::csv ? std::string("a,b\r\n") : std::string("{}");
  }
};

struct FakeLedger final : LedgerPort {
  std::vector<ledger::TilePath> asked;
  Task<Result<std::string>> checkpoint() override { co_return std::string("origin\n1\n"); }
  Task<Result<Buffer>> tile(ledger::TilePath path) override {
    asked.push_back(path);
    if (path.index > 9) co_return fail(Errc::not_found, "beyond the checkpoint");
    co_return Buffer::copy_of(std::string_view("bytes"));
  }
};

struct FakeKeys final : KeysPort {
  std::vector<std::string> done;
  Task<Result<MadeKey>> make(std::string channel, std::string feed) override {
    if (feed == "fixed") co_return fail(Errc::conflict, "the key stands in the configuration");
    done.push_back("make " + channel + "/" + feed);
    co_return MadeKey{"s3cr3t"};
  }
  Task<Result<void>> revoke(std::string channel, std::string feed) override {
    done.push_back("revoke " + channel + "/" + feed);
    co_return Result<void>{};
  }
};

struct FakeLadders final : LaddersPort {
  std::vector<std::string> done;
  static media::Ladder ladder() {
    media::Ladder ladder;
    ladder.name = "low-power";
    media::VideoRung rung;
    rung.name = "360p";
    rung.height = 360;
    rung.bit_rate = 700'000;
    ladder.video.push_back(rung);
    media::AudioRung sound;
    sound.name = "stereo";
    sound.bit_rate = 96'000;
    sound.loudness = -23;
    ladder.audio.push_back(sound);
    return ladder;
  }
  Task<Result<std::vector<media::Ladder>>> presets() override { co_return std::vector{ladder()}; }
  Task<std::expected<media::Ladder, Problem>> set_ladder(std::string channel,
                                                         boost::json::object wanted) override {
    if (!wanted.contains("preset"))
      co_return std::unexpected(
          Problem(422, "ladder_wrong", "video[0].height: 721 is odd", "write an even number"));
    done.push_back("set " + channel + " " + boost::json::serialize(wanted));
    co_return ladder();
  }
  Task<Result<void>> reset_ladder(std::string channel) override {
    if (!done.empty() && done.back() == "reset")
      co_return fail(Errc::not_found, "the channel has the configuration's ladder");
    done.push_back("reset");
    co_return Result<void>{};
  }
};

struct FakeVod final : VodPort {
  std::vector<vod::ItemFacts> items;
  std::vector<VodRequest> added;
  std::vector<std::string> removed;
  Task<std::vector<vod::ItemFacts>> vod_items() override { co_return items; }
  Task<Result<vod::ItemFacts>> vod_item(std::string id) override {
    for (const vod::ItemFacts& item : items)
      if (item.id == id) co_return item;
    co_return fail(Errc::not_found, "there is no item '{}'", id);
  }
  Task<Result<vod::ItemFacts>> add_vod(VodRequest request) override {
    if (request.file.starts_with("..")) co_return fail(Errc::malformed, "file: plain names");
    vod::ItemFacts facts;
    facts.id = request.id;
    facts.title = request.title;
    added.push_back(std::move(request));
    co_return facts;
  }
  Task<Result<void>> remove_vod(std::string id) override {
    removed.push_back(std::move(id));
    co_return Result<void>{};
  }
};

struct FakeAuthoriser final : Authoriser {
  Roles roles_of(std::string_view authorization) const override {
    return {.admin = authorization == "Bearer admin",
            .regulator = authorization == "Bearer regulator"};
  }
};

struct FakeOperations final : OperationsPort {
  std::vector<NotReady> reasons;
  std::string metrics_text() const override { return "kapok_x 1\n"; }
  std::vector<NotReady> not_ready() const override { return reasons; }
};

struct RecordingLog final : LogSink {
  std::vector<std::string> lines;
  bool enabled(LogLevel) const override { return true; }
  void write(LogLevel, std::string_view event, std::span<const LogField>,
             std::span<const LogField> fields) override {
    std::string line(event);
    for (const LogField& field : fields)
      if (const auto* text = std::get_if<std::string>(&field.value.held()))
        line += " " + field.key + "=" + *text;
    lines.push_back(line);
  }
};

}  // namespace kapok::api
