// Command plugin is a provider for the tests of the hook room: it speaks the plug-in protocol with nothing but the standard library, and
// does what the configuration in the event says.
package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"time"
)

type event struct {
	Name string `json:"name"`
	Data string `json:"data"`
	File string `json:"file"`
}

type payload struct {
	Provider string `json:"provider"`
	Version  string `json:"version"`
	Config   string `json:"config"`
}

type response struct {
	State string `json:"state"`
	Data  string `json:"data"`
	Error string `json:"error"`
	Log   string `json:"log"`
}

// behaviour is the JSON in the payload's config.
type behaviour struct {
	Shell   string `json:"shell"`   // Run by sh; its output is the answer's data.
	Get     string `json:"get"`     // Fetched with net/http into /usr/bin/fetched.
	Dial    string `json:"dial"`    // Connected to directly; the error is the answer's data.
	Garbage string `json:"garbage"` // Written instead of an answer.
	Fail    string `json:"fail"`    // Answered as an error.
	Exit    int    `json:"exit"`    // Ends the process without an answer.
	Hang    bool   `json:"hang"`
	Report  string `json:"report"` // Version that info reports; the payload's otherwise.
	Run     string `json:"run"`    // Program that info runs; its output is the version.
}

func main() {
	raw, err := io.ReadAll(os.Stdin)
	check(err)
	var e event
	check(json.Unmarshal(raw, &e))
	if e.Name != os.Args[1] {
		check(fmt.Errorf("argument %s, event %s", os.Args[1], e.Name))
	}
	if e.File != "" {
		data, err := os.ReadFile(e.File)
		check(err)
		e.Data = string(data)
	}
	var p payload
	check(json.Unmarshal([]byte(e.Data), &p))
	var b behaviour
	if p.Config != "" {
		check(json.Unmarshal([]byte(p.Config), &b))
	}
	var r response
	if e.Name == "init.provider.install" {
		r = install(p, b)
	} else {
		r = info(p, b)
	}
	check(json.NewEncoder(os.Stdout).Encode(r))
}

func install(p payload, b behaviour) response {
	fmt.Fprintf(os.Stderr, "installing on %s\n", runtime.GOARCH)
	if b.Exit != 0 {
		fmt.Fprintln(os.Stderr, "about to end badly")
		os.Exit(b.Exit)
	}
	if b.Garbage != "" {
		fmt.Print(b.Garbage)
		os.Exit(0)
	}
	if b.Hang {
		fmt.Fprintln(os.Stderr, "waiting for nothing")
		time.Sleep(time.Hour)
	}
	if b.Fail != "" {
		return response{State: "error", Error: b.Fail}
	}
	if p.Provider != "k3s" && p.Provider != "k0s" {
		return response{State: "non-applicable"}
	}
	var data []string
	if b.Dial != "" {
		_, err := net.DialTimeout("tcp", b.Dial, 3*time.Second)
		data = append(data, fmt.Sprint(err))
	}
	if b.Get != "" {
		if err := get(b.Get, "/usr/bin/fetched"); err != nil {
			return response{State: "error", Error: err.Error()}
		}
	}
	if b.Shell != "" {
		out, err := exec.Command("sh", "-c", b.Shell).CombinedOutput()
		data = append(data, string(out))
		if err != nil {
			return response{State: "error", Error: err.Error() + ": " + string(out)}
		}
	}
	return response{State: "success", Data: strings.Join(data, "\n")}
}

func get(url, path string) error {
	answer, err := http.Get(url)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("GET %s: %s", url, answer.Status)
	}
	file, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY, 0o755)
	if err != nil {
		return err
	}
	defer file.Close()
	_, err = io.Copy(file, answer.Body)
	return err
}

func info(p payload, b behaviour) response {
	version := p.Version
	if b.Report != "" {
		version = b.Report
	}
	if b.Run != "" {
		out, err := exec.Command(b.Run, "--version").CombinedOutput()
		if err != nil {
			return response{State: "error", Error: err.Error() + ": " + string(out)}
		}
		version = strings.TrimSpace(string(out))
	}
	data, err := json.Marshal(map[string]string{"provider": p.Provider, "version": version})
	check(err)
	return response{State: "success", Data: string(data)}
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(3)
	}
}
