// Two ends of SRT and a bad network between them, in memory and on a clock that is moved by hand:
// loss, bursts, delay, jitter (and with it reordering), duplicates, blackouts, another clock speed
// at the far end. Deterministic: a seed decides everything.
#pragma once

#include <functional>
#include <queue>
#include <random>
#include <vector>

#include "server/picture/protocols/srt/caller.hpp"
#include "server/picture/protocols/srt/connection.hpp"
#include "server/picture/protocols/srt/listener.hpp"
#include "server/picture/protocols/srt/packet.hpp"

namespace kapok::srt {

struct Weather {
  double loss = 0;
  double duplicate = 0;
  nanoseconds delay = milliseconds(10);
  nanoseconds jitter{0};  // uniform, added to delay: reorders
  double burst = 0;       // chance that a loss begins a run of burst_packets
  int burst_packets = 0;
};

class SimulatedPath {
 public:
  using Arrive = std::function<void(MonoTime, const PeerAddress& from, Buffer)>;

  SimulatedPath(Weather weather, PeerAddress from, std::uint32_t seed)
      : weather(weather), from_(from), random_(seed) {}

  void send(MonoTime now, const Datagram& datagram) {
    ++sent;
    if (dark || unlucky(weather.loss) || in_burst_-- > 0) {
      if (in_burst_ <= 0 && unlucky(weather.burst)) in_burst_ = weather.burst_packets;
      if (in_burst_ < 0) in_burst_ = 0;
      ++lost;
      return;
    }
    in_burst_ = 0;
    Bytes bytes(datagram.head_bytes().begin(), datagram.head_bytes().end());
    bytes.insert(bytes.end(), datagram.payload.bytes().begin(), datagram.payload.bytes().end());
    const Buffer whole(std::move(bytes));
    for (int copies = unlucky(weather.duplicate) ? 2 : 1; copies > 0; --copies) {
      nanoseconds delay = weather.delay;
      if (weather.jitter.count() > 0)
        delay += nanoseconds(
            std::uniform_int_distribution<std::int64_t>(0, weather.jitter.count())(random_));
      flying_.push({now + delay, order_++, whole});
    }
  }
  void arrive(MonoTime now, const Arrive& at) {
    while (!flying_.empty() && flying_.top().at <= now) {
      const Flying next = flying_.top();
      flying_.pop();
      at(next.at, from_, next.bytes);
    }
  }

  Weather weather;
  bool dark = false;
  std::uint64_t sent = 0;
  std::uint64_t lost = 0;

 private:
  struct Flying {
    MonoTime at;
    std::uint64_t order;
    Buffer bytes;
    bool operator<(const Flying& other) const {
      return at != other.at ? at > other.at : order > other.order;
    }
  };
  bool unlucky(double chance) { return std::uniform_real_distribution<>(0, 1)(random_) < chance; }

  PeerAddress from_;
  std::mt19937 random_;
  int in_burst_ = 0;
  std::uint64_t order_ = 0;
  std::priority_queue<Flying> flying_;
};

inline PeerAddress address(std::uint8_t host, std::uint16_t port) {
  PeerAddress made;
  made.ip = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF, 10, 0, 0, host};
  made.port = port;
  return made;
}

// A message whose number can be read back.
inline Buffer numbered(std::uint32_t number, std::size_t size = 1316) {
  Bytes bytes(size, std::byte{0x47});
  store_u32(bytes.data(), number);
  return Buffer(std::move(bytes));
}

struct Received {
  std::vector<std::uint32_t> numbers;
  std::vector<MonoTime> at;
  std::vector<MonoTime> source_at;
  std::uint32_t gap_packets = 0;
  std::optional<Closed> closed;

  void take(MonoTime now, const Output& out) {
    for (const Event& event : out.events) {
      if (const auto* message = std::get_if<Message>(&event)) {
        numbers.push_back(load_u32(message->payload.data()));
        at.push_back(now);
        source_at.push_back(message->source_at);
      } else if (const auto* gap = std::get_if<Gap>(&event)) {
        gap_packets += gap->packets;
      } else {
        closed = std::get<Closed>(event);
      }
    }
  }
};

// A caller and a listener's side, each with a connection once the handshake is done.
class SimulatedCall {
 public:
  struct Setup {
    Weather weather;
    LinkOptions caller;
    LinkOptions listener;
    std::string stream_id = "publish:test";
    std::uint32_t seed = 1;
    double far_clock = 1.0;  // the caller's clock runs this much faster
    nanoseconds step = milliseconds(1);
  };

  explicit SimulatedCall(Setup setup_)
      : setup(std::move(setup_)),
        to_listener(setup.weather, address(1, 5000), setup.seed),
        to_caller(setup.weather, address(2, 9000), setup.seed + 1),
        listener(CookieSecret{}),
        call(now, Caller::Mode::caller,
             {.peer = address(2, 9000),
              .socket_id = 77,
              .link = setup.caller,
              .stream_id = setup.stream_id}) {}

  // The caller's clock.
  MonoTime far_now() const {
    const auto elapsed = static_cast<double>((now - start).count());
    return start + nanoseconds(static_cast<std::int64_t>(elapsed * setup.far_clock));
  }

  void step() {
    now += setup.step;
    to_listener.arrive(now, [&](MonoTime at, const PeerAddress& from, Buffer bytes) {
      if (const SocketId id = destination_of(bytes.bytes()); id == 0) {
        if (auto question = listener.receive(at, from, bytes.bytes(), near_out)) {
          asked = question;
          if (!answer_by_itself) return;
          auto made = listener.accept(at, question->id, {.socket_id = 99, .link = setup.listener},
                                      near_out);
          if (made)
            near = *std::move(made);
          else
            accept_error = made.error();
        }
      } else if (near && id == near->socket_id()) {
        near->receive(at, from, std::move(bytes), near_out);
      }
    });
    to_caller.arrive(now, [&](MonoTime, const PeerAddress& from, Buffer bytes) {
      if (far)
        far->receive(far_now(), from, std::move(bytes), far_out);
      else
        call.receive(far_now(), from, bytes.bytes(), far_out);
    });
    if (near && now >= near->next_deadline()) near->advance(now, near_out);
    if (far) {
      if (far_now() >= far->next_deadline()) far->advance(far_now(), far_out);
    } else {
      call.advance(far_now(), far_out);
      if (call.done() && !call_error) {
        auto taken = call.take(far_now());
        if (taken)
          far = *std::move(taken);
        else
          call_error = taken.error();
      }
    }
    flush();
  }
  void flush() {
    at_near.take(now, near_out);
    at_far.take(now, far_out);
    for (const Datagram& datagram : far_out.datagrams) to_listener.send(now, datagram);
    for (const Datagram& datagram : near_out.datagrams) to_caller.send(now, datagram);
    far_out.clear();
    near_out.clear();
  }
  void run(nanoseconds time) {
    for (const MonoTime end = now + time; now < end;) step();
  }
  bool connect() {
    for (int i = 0; i < 4'000 && !(near && far); ++i) step();
    return near && far;
  }
  // `count` messages, `every` apart, then time for what is under way.
  void stream(std::uint32_t count, nanoseconds every, nanoseconds after = seconds(2)) {
    MonoTime due = now;
    for (std::uint32_t i = 0; i < count; ++i) {
      while (now < due) step();
      due += every;
      if (auto sent = far->send(far_now(), numbered(next_number++)); !sent) ++refused;
    }
    run(after);
  }

  Setup setup;
  MonoTime start{seconds(1'000)};
  MonoTime now = start;
  SimulatedPath to_listener;
  SimulatedPath to_caller;
  Listener listener;
  Caller call;
  bool answer_by_itself = true;
  std::optional<Asked> asked;
  std::optional<Error> accept_error;
  std::optional<Error> call_error;
  std::unique_ptr<Connection> near;  // the listener's side
  std::unique_ptr<Connection> far;   // the caller's
  Output near_out;
  Output far_out;
  Received at_near;
  Received at_far;
  std::uint32_t next_number = 0;
  std::uint32_t refused = 0;
};

inline std::vector<std::uint32_t> counted(std::uint32_t count) {
  std::vector<std::uint32_t> numbers(count);
  for (std::uint32_t i = 0; i < count; ++i) numbers[i] = i;
  return numbers;
}

}  // namespace kapok::srt
