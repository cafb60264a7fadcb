package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

const (
	longestPause = 30 * time.Second
	stopWithin   = 20 * time.Second
)

// supervisor keeps processes running: one that ends is started again, after a pause that doubles while it keeps ending soon.
type supervisor struct {
	mutex     sync.Mutex
	processes []*process
}

type process struct {
	name   string
	cancel context.CancelFunc
	ended  chan struct{}
}

// start runs a program until stop: one of the Kubernetes programs in this file by its name, or a file in binDir.
func (s *supervisor) start(name string, arguments ...string) {
	ctx, cancel := context.WithCancel(context.Background())
	p := &process{name: name, cancel: cancel, ended: make(chan struct{})}
	s.mutex.Lock()
	s.processes = append(s.processes, p)
	s.mutex.Unlock()
	go func() {
		defer close(p.ended)
		// The kernel's "parent died" signal is tied to the thread that started the child: keep it.
		runtime.LockOSThread()
		pause := time.Second
		for ctx.Err() == nil {
			began := time.Now()
			err := runOnce(ctx, name, arguments)
			if ctx.Err() != nil {
				return
			}
			if time.Since(began) > time.Minute {
				pause = time.Second
			}
			warn("%s ended (%v), again in %s", name, err, pause)
			select {
			case <-ctx.Done():
			case <-time.After(pause):
			}
			pause = min(2*pause, longestPause)
		}
	}()
}

// stop ends the processes one after the other, the last started first.
func (s *supervisor) stop() {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	for _, p := range slices.Backward(s.processes) {
		warn("stopping %s", p.name)
		p.cancel()
		<-p.ended
	}
}

func runOnce(ctx context.Context, name string, arguments []string) error {
	command := exec.CommandContext(ctx, binDir+"/"+name, arguments...)
	if _, isProgram := programs[name]; isProgram {
		command.Path = "/proc/self/exe"
		command.Args[0] = name
	}
	command.Env = childEnvironment()
	command.Cancel = func() error { return command.Process.Signal(syscall.SIGTERM) }
	command.WaitDelay = stopWithin
	// A process group of its own: a signal to the supervisor's group must not end children out of order.
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
	output, input := io.Pipe()
	command.Stdout, command.Stderr = input, input
	copied := make(chan struct{})
	go func() { prefixLines(output, name); close(copied) }()
	err := command.Run()
	_ = input.Close()
	<-copied
	return err
}

// childEnvironment is this process's, without what systemd gave to it alone, with the folder that holds containerd's shim first.
func childEnvironment() []string {
	environment := slices.DeleteFunc(os.Environ(), func(entry string) bool {
		name, _, _ := strings.Cut(entry, "=")
		return name == "NOTIFY_SOCKET" || name == "PATH" || name == "K3S_TOKEN" || name == "GOGC"
	})
	return append(environment, "PATH="+binDir+":/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "GOGC=400")
}

func prefixLines(from io.Reader, name string) {
	reader := bufio.NewReader(from)
	for {
		line, err := reader.ReadString('\n')
		if line != "" {
			fmt.Fprintf(os.Stderr, "[%s] %s\n", name, strings.TrimRight(line, "\n"))
		}
		if err != nil {
			return
		}
	}
}

// waitFor asks again and again until the answer is nil or the run ends.
func waitFor(ctx context.Context, what string, ask func() error) error {
	began := time.Now()
	for said := began; ; {
		err := ask()
		if err == nil {
			warn("%s after %s", what, time.Since(began).Round(100*time.Millisecond))
			return nil
		}
		if time.Since(said) > 30*time.Second {
			warn("waiting: %s: %v", what, err)
			said = time.Now()
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(500 * time.Millisecond):
		}
	}
}
