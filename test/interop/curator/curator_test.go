package curator

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"paddock/test/interop/dialogue"
	"paddock/test/interop/target"
)

const packages = "default-jdk-headless libcurator-client-java libcurator-framework-java libcurator-recipes-java libzookeeper-java libslf4j-java"

// jars is the class path of the suite; zookeeper.jar names its own dependencies in its manifest.
var jars = []string{
	"/usr/share/java/curator-recipes.jar",
	"/usr/share/java/curator-framework.jar",
	"/usr/share/java/curator-client.jar",
	"/usr/share/java/guava.jar",
	"/usr/share/java/zookeeper.jar",
	"/usr/share/java/slf4j-simple.jar",
}

func TestCurator(t *testing.T) {
	target.Need(t, packages, append([]string{"/usr/bin/java", "/usr/bin/javac"}, jars...)...)
	sources, err := filepath.Glob("java/*.java")
	if err != nil {
		t.Fatal(err)
	}
	classes := t.TempDir()
	path := strings.Join(jars, ":")
	compile := exec.Command("/usr/bin/javac", append([]string{"-Xlint:-options", "-proc:none", "-d", classes, "-cp", path}, sources...)...)
	if out, err := compile.CombinedOutput(); err != nil {
		t.Fatalf("%v: %v\n%s", compile, err, out)
	}
	target.Each(t, func(t *testing.T, s *target.Server) {
		dialogue.Run(t, s, exec.Command("/usr/bin/java", "-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1",
			"-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", "-cp", classes+":"+path, "Suite"))
	})
}
