// One path between two SRT sockets: what Connection has one of and Group several. It knows sequence
// numbers seen on this path, losses, acknowledgements, RTT, encryption, filter and the send buffer;
// packets go into a ReceiveBuffer that may be shared with other links. It delivers nothing itself.
#pragma once

#include <array>
#include <memory>
#include <optional>

#include "server/picture/protocols/srt/backup_choice.hpp"
#include "server/picture/protocols/srt/loss_list.hpp"
#include "server/picture/protocols/srt/measures.hpp"
#include "server/picture/protocols/srt/negotiated.hpp"
#include "server/picture/protocols/srt/output.hpp"
#include "server/picture/protocols/srt/payload_slab.hpp"
#include "server/picture/protocols/srt/receive_buffer.hpp"
#include "server/picture/protocols/srt/send_buffer.hpp"
#include "server/picture/protocols/srt/stats.hpp"
#include "server/picture/protocols/srt/time_base.hpp"

namespace kapok::srt {

// What all links of a connection or group write into.
struct Reception {
  ReceiveBuffer buffer;
  TimeBase time_base;
};

class Link {
 public:
  enum class Standing : std::uint8_t {
    alone,   // the connection's only link: it begins at the first number of the handshake
    member,  // one of a group: it begins wherever its first packet is
  };

  Link(MonoTime now, Negotiated negotiated, Reception& reception, Standing standing);

  void receive(MonoTime now, const PeerAddress& from, Buffer datagram, Output& out);
  void advance(MonoTime now, Output& out);
  MonoTime next_deadline() const;

  // The greatest payload of one packet.
  std::size_t max_payload_bytes() const { return max_payload_bytes_; }
  bool can_send(std::size_t packets, std::size_t bytes) const;
  // One packet, with the parts of its message word that belong to the message.
  void send(MonoTime now, Buffer payload, MessageWord message, MonoTime source_at);
  // The number that the next packet will get.
  Sequence next_sequence() const { return sending_.end(); }
  // Leaves a hole that other links of the group have filled.
  void restart_sending_at(Sequence sequence) {
    if (sending_.end() != sequence) sending_.restart_at(sequence);
  }

  void shutdown(MonoTime now, Output& out);
  void keep_alive(MonoTime now, Output& out);
  std::optional<CloseReason> closed() const { return closed_; }

  SocketId socket_id() const { return settled_.own_id; }
  const PeerAddress& peer() const { return settled_.peer; }
  const Negotiated& settled() const { return settled_; }
  LinkHealth health() const;
  // Everything before it was acknowledged (or dropped as too old).
  Sequence acknowledged() const { return sending_.first(); }
  LinkStats stats(MonoTime now) const;

 private:
  struct DataPacket {
    Sequence sequence;
    MessageWord message;
    std::uint32_t timestamp;
    PacketHead head;
    Buffer payload;
  };
  struct SentAck {
    std::uint32_t number = 0;  // 0: none
    Sequence up_to;
    MonoTime at;
  };
  // More are not under way: 2.5 s of full acknowledgements.
  static constexpr std::size_t kAckJournal = 256;

  // link_receive.cpp
  void receive_data(MonoTime now, const Header& header, const Buffer& datagram, Output& out);
  void filter(MonoTime now, const DataPacket& packet);
  MessageWord message_of(const RebuiltPacket& mended) const;
  void accept(MonoTime now, DataPacket packet);
  bool decrypt(DataPacket& packet);
  void track(MonoTime now, Sequence sequence);
  void report_losses(MonoTime now, Output& out);
  Sequence acknowledgeable() const;
  void send_light_ack(MonoTime now, Output& out);
  void send_full_ack(MonoTime now, Output& out);
  nanoseconds report_interval() const;
  void on_ackack(MonoTime now, const Header& header);
  void on_drop_request(ByteSpan body);

  // link_send.cpp
  void on_ack(MonoTime now, const Header& header, ByteSpan body, Output& out);
  void on_nak(MonoTime now, ByteSpan body, Output& out);
  void send_drop_request(MonoTime now, SequenceRange gone, Output& out);
  std::uint32_t window() const;
  bool can_transmit() const;
  void transmit(MonoTime now, Output& out);
  void emit(MonoTime now, Sequence sequence, Output& out);
  void emit_parity(const SendPacket& packet, Sequence sequence, Output& out);
  void encrypt(SendPacket& packet, Sequence sequence);
  void drop_late(MonoTime now);

  // link.cpp
  void receive_control(MonoTime now, const Header& header, ByteSpan body, Output& out);
  void repeat_agreement(ByteSpan body, Output& out);
  void announce_key(MonoTime now, Output& out);
  Route route(MonoTime now) const;

  Negotiated settled_;
  Reception* reception_;
  Standing standing_;
  std::size_t max_payload_bytes_;
  std::optional<CloseReason> closed_;
  MonoTime last_heard_;
  MonoTime last_sent_;
  RoundTrip rtt_;
  PayloadSlab slab_;
  LinkStats stats_;

  // Receiving.
  bool heard_data_ = false;
  Sequence expected_;  // one after the newest packet of this link
  LossList losses_;
  std::optional<FecReceiver> fec_receiver_;
  std::vector<RebuiltPacket> rebuilt_;
  struct WholeMessage {
    Sequence sequence;
    MessageWord message;
  };
  std::optional<WholeMessage> neighbour_;  // of what the filter may rebuild
  RateMeter receive_rate_;
  CapacityMeter capacity_;
  std::array<SentAck, kAckJournal> journal_{};
  std::uint32_t ack_number_ = 0;
  Sequence acked_;      // by our last full or light ACK
  Sequence confirmed_;  // the peer has seen this ACK
  MonoTime acked_at_;
  std::uint32_t since_ack_ = 0;  // packets
  bool ack_wanted_ = false;
  std::optional<nanoseconds> drift_reference_;
  microseconds rtt_reference_{0};
  std::vector<SequenceRange> report_;

  // Sending.
  SendBuffer sending_;
  std::optional<FecSender> fec_sender_;
  RateMeter send_rate_;
  std::uint32_t peer_window_;
  std::uint32_t peer_capacity_ = 0;  // packets a second that the peer measured
  // Retransmission may use so many bytes: earned by what is sent the first time.
  double retransmit_credit_;
};

}  // namespace kapok::srt
