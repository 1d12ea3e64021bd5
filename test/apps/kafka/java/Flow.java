import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicLongArray;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.errors.WakeupException;
import org.apache.kafka.common.serialization.LongDeserializer;
import org.apache.kafka.common.serialization.LongSerializer;

/**
 * Flow sends numbers to each partition of a topic and reads them: Flow BOOTSTRAP TOPIC PARTITIONS.
 *
 * <p>Nobody else writes to the topic, and the producer is idempotent, so the number of a message is its offset. A number that is missing, twice or
 * out of order is seen as one that is not. Commands come on standard input, and each has one line as its answer, "ok ..." or "bad ...":
 * "more N" waits until N further messages were acknowledged and read; "finish" ends the producer and waits until all was read.
 */
public final class Flow {
  private static final long PAUSE_NANOS = 4_000_000;
  private static final long DEADLINE_NANOS = 180_000_000_000L;

  private final String topic;
  private final int partitions;
  private final AtomicLongArray sent;
  private final AtomicLongArray acked;
  private final AtomicLongArray read;
  private final AtomicLong lastAck = new AtomicLong(System.nanoTime());
  private final AtomicLong longest = new AtomicLong();
  private final ConcurrentLinkedQueue<String> bad = new ConcurrentLinkedQueue<>();
  private volatile boolean finishing;
  private volatile boolean finished;

  private Flow(String topic, int partitions) {
    this.topic = topic;
    this.partitions = partitions;
    sent = new AtomicLongArray(partitions);
    acked = new AtomicLongArray(partitions);
    read = new AtomicLongArray(partitions);
  }

  public static void main(String[] args) throws Exception {
    Flow flow = new Flow(args[1], Integer.parseInt(args[2]));
    Thread producer = new Thread(() -> flow.guard(() -> flow.produce(args[0])), "producer");
    Thread consumer = new Thread(() -> flow.guard(() -> flow.consume(args[0])), "consumer");
    producer.start();
    consumer.start();
    BufferedReader in = new BufferedReader(new InputStreamReader(System.in));
    for (String line; (line = in.readLine()) != null; ) {
      String[] words = line.split(" ");
      if (words[0].equals("more")) {
        System.out.println(flow.more(Long.parseLong(words[1])));
        continue;
      }
      flow.finishing = true;
      producer.join();
      String answer = flow.reach(0, 0);
      flow.finished = true;
      consumer.join();
      System.out.println(flow.bad.isEmpty() ? answer : flow.complaint());
      return;
    }
    System.exit(1);
  }

  private interface Body {
    void run() throws Exception;
  }

  private void guard(Body body) {
    try {
      body.run();
    } catch (Exception e) {
      bad.add(Thread.currentThread().getName() + " ended: " + e);
    }
  }

  private void produce(String bootstrap) throws InterruptedException {
    Map<String, Object> settings = Map.of("bootstrap.servers", bootstrap, "acks", "all", "enable.idempotence", true, "delivery.timeout.ms", 170_000,
        "max.block.ms", 170_000, "request.timeout.ms", 10_000, "buffer.memory", 4 << 20);
    try (KafkaProducer<Long, Long> producer = new KafkaProducer<>(settings, new LongSerializer(), new LongSerializer())) {
      for (int i = 0; !finishing; i++) {
        int p = i % partitions;
        long n = sent.getAndIncrement(p);
        producer.send(new ProducerRecord<>(topic, p, n, n), (done, failure) -> {
          if (failure != null) {
            bad.add("message " + n + " to partition " + p + ": " + failure);
            return;
          }
          if (done.offset() != n) {
            bad.add("message " + n + " to partition " + p + " has the offset " + done.offset());
          }
          acked.incrementAndGet(p);
          long now = System.nanoTime();
          longest.accumulateAndGet(now - lastAck.getAndSet(now), Math::max);
        });
        Thread.sleep(PAUSE_NANOS / 1_000_000);
      }
    }
  }

  private void consume(String bootstrap) {
    Map<String, Object> settings = Map.of("bootstrap.servers", bootstrap, "group.id", "flow", "auto.offset.reset", "earliest",
        "auto.commit.interval.ms", 1000, "metadata.max.age.ms", 10_000);
    try (KafkaConsumer<Long, Long> consumer = new KafkaConsumer<>(settings, new LongDeserializer(), new LongDeserializer())) {
      consumer.subscribe(List.of(topic));
      while (!finished) {
        for (ConsumerRecord<Long, Long> record : consumer.poll(Duration.ofMillis(200))) {
          int p = record.partition();
          if (record.value() != record.offset() || record.offset() > read.get(p)) { // lower ones are read again after a rebalance
            bad.add("partition " + p + ": read " + record.value() + " at offset " + record.offset() + ", expected " + read.get(p));
          }
          read.set(p, Math.max(read.get(p), record.offset() + 1));
        }
      }
    } catch (WakeupException e) {
      // nobody wakes it
    }
  }

  private long sum(AtomicLongArray list) {
    long n = 0;
    for (int p = 0; p < partitions; p++) {
      n += list.get(p);
    }
    return n;
  }

  private String more(long n) throws InterruptedException {
    return reach(sum(acked) + n, sum(read) + n);
  }

  /** Waits until so many were acknowledged and read, and each partition was read as far as it was acknowledged when this began. */
  private String reach(long acknowledged, long seen) throws InterruptedException {
    List<Long> goals = new ArrayList<>();
    for (int p = 0; p < partitions; p++) {
      goals.add(acked.get(p));
    }
    for (long deadline = System.nanoTime() + DEADLINE_NANOS; bad.isEmpty(); Thread.sleep(20)) {
      boolean all = sum(acked) >= acknowledged && sum(read) >= seen;
      for (int p = 0; p < partitions; p++) {
        all &= read.get(p) >= goals.get(p);
      }
      if (all) {
        return "ok " + sum(acked) + " acknowledged, " + sum(read) + " read, " + longest.getAndSet(0) / 1_000_000 + " ms at most between two acknowledgements";
      }
      if (System.nanoTime() > deadline) {
        bad.add("time is over");
      }
    }
    return complaint();
  }

  private String complaint() {
    List<String> list = new ArrayList<>(bad);
    return "bad " + list.size() + " complaints: " + String.join("; ", list.subList(0, Math.min(5, list.size()))).replace('\n', ' ')
        + "; sent " + sent + ", acknowledged " + acked + ", read " + read;
  }
}
