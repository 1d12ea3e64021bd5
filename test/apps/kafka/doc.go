// Package kafka runs Apache Kafka 3.9 in its ZooKeeper mode: three brokers from the jars that the project publishes, administered by Kafka's own
// commands, with a producer and a consumer (java/Flow.java) that count every message. Its tests need the build tag apps.
//
// TestKafka is the life of a cluster: brokers come and die, topics, SCRAM users and access lists are made and changed, ZooKeeper servers are
// killed and restarted. TestReplacement replaces the servers one by one, in place, by those of the other kind. Sessions are known by the owners
// of the brokers' ephemeral znodes: who lost its session is another owner afterwards.
package kafka
