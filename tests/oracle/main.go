// The oracle: reads one JSON request a line, asks the Go original, writes one JSON answer a line.
//
//	{"kind": "expr", "text": …, "variables": {…}}    expr-lang with the environment that Argo sets up
//	{"kind": "when", "text": …}                      govaluate, its variables made strings
//	{"kind": "jsonpath", "text": …, "path": …}       a query over JSON text
//	{"kind": "time", "text": …, "layout": …}         time.Parse, and the moment in that layout again
//	{"kind": "quote", "text": …}                     strconv.Quote
//	{"kind": "duration", "text": …}                  time.ParseDuration
//	{"kind": "regexp", "text": …, "pattern": …}      all matches
//	{"kind": "cron", "text": …, "at": …, "count": …} the next times of a schedule, seconds since the epoch
//	{"kind": "quantity", "text": …}                  Kubernetes' resource.ParseQuantity: the number, Value(), MilliValue()
//	{"kind": "merge", "text": …, "patch": …}         strategicpatch over a PodSpec, both JSON
//	{"kind": "image", "text": …}                     the name of an image as Docker and the kubelet read it: registry, repository, tag, digest
//	{"kind": "platform", "text": …, "names": […]}    which of these platforms containerd takes for the one in the text, "" for none
//	{"kind": "tags", "text": …, "variables": {…}}    fasttemplate over marshalled text: each {{name}} that has a value replaced
//
// Answers: {"ok": true, "value": …, "type": "%T"} or {"ok": false, "error": …}.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/Knetic/govaluate"
	sprig "github.com/Masterminds/sprig/v3"
	"github.com/containerd/platforms"
	"github.com/distribution/reference"
	"github.com/doublerebel/bellows"
	"github.com/evilmonkeyinc/jsonpath"
	"github.com/expr-lang/expr"
	"github.com/expr-lang/expr/builtin"
	"github.com/robfig/cron/v3"
	"github.com/valyala/fasttemplate"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/util/strategicpatch"
)

type request struct {
	Kind      string         `json:"kind"`
	Text      string         `json:"text"`
	Path      string         `json:"path"`
	Layout    string         `json:"layout"`
	Pattern   string         `json:"pattern"`
	Patch     string         `json:"patch"`
	At        int64          `json:"at"`
	Count     int            `json:"count"`
	Names     []string       `json:"names"`
	Variables map[string]any `json:"variables"`
}

type answer struct {
	OK    bool            `json:"ok"`
	Value json.RawMessage `json:"value,omitempty"`
	Type  string          `json:"type,omitempty"`
	Error string          `json:"error,omitempty"`
}

var sprigFunctions = sprig.GenericFuncMap()

func main() {
	delete(sprigFunctions, "env")
	delete(sprigFunctions, "expandenv")
	in := bufio.NewScanner(os.Stdin)
	in.Buffer(make([]byte, 1<<20), 1<<24)
	out := bufio.NewWriter(os.Stdout)
	for in.Scan() {
		var r request
		var a answer
		if err := json.Unmarshal(in.Bytes(), &r); err != nil {
			a.Error = err.Error()
		} else {
			a = ask(r)
		}
		line, _ := json.Marshal(a)
		out.Write(line)
		out.WriteByte('\n')
		out.Flush()
	}
}

func ask(r request) (a answer) {
	defer func() {
		if p := recover(); p != nil {
			a = answer{Error: fmt.Sprintf("panic: %v", p)}
		}
	}()
	value, err := evaluate(r)
	if err != nil {
		return answer{Error: err.Error()}
	}
	raw, err := json.Marshal(value)
	if err != nil {
		return answer{OK: true, Type: fmt.Sprintf("%T", value), Error: err.Error()}
	}
	return answer{OK: true, Value: raw, Type: fmt.Sprintf("%T", value)}
}

func evaluate(r request) (any, error) {
	switch r.Kind {
	case "expr":
		env := environment(r.Variables)
		program, err := expr.Compile(r.Text, expr.Env(env))
		if err != nil {
			return nil, err
		}
		return expr.Run(program, env)
	case "when":
		return when(r.Text)
	case "jsonpath":
		var data any
		if err := json.Unmarshal([]byte(r.Text), &data); err != nil {
			return nil, err
		}
		return jsonpath.Query(r.Path, data)
	case "time":
		t, err := time.Parse(r.Layout, r.Text)
		if err != nil {
			return nil, err
		}
		return []string{t.Format(time.RFC3339Nano), t.Format(r.Layout)}, nil
	case "quantity":
		q, err := resource.ParseQuantity(r.Text)
		if err != nil {
			return nil, err
		}
		milli, value := q.DeepCopy(), q.DeepCopy()
		return []any{q.AsDec().String(), value.Value(), milli.MilliValue()}, nil
	case "merge":
		merged, err := strategicpatch.StrategicMergePatch([]byte(r.Text), []byte(r.Patch), corev1.PodSpec{})
		if err != nil {
			return nil, err
		}
		var spec corev1.PodSpec
		err = json.Unmarshal(merged, &spec)
		return spec, err
	case "image":
		return image(r.Text)
	case "platform":
		return choosePlatform(r.Text, r.Names)
	case "tags":
		return tags(r.Text, r.Variables)
	case "quote":
		return strconv.Quote(r.Text), nil
	case "duration":
		d, err := time.ParseDuration(r.Text)
		return []any{int64(d), d.String()}, err
	case "regexp":
		p, err := regexp.Compile(r.Pattern)
		if err != nil {
			return nil, err
		}
		return p.FindAllStringIndex(r.Text, -1), nil
	case "cron":
		schedule, err := cron.ParseStandard(r.Text)
		if err != nil {
			return nil, err
		}
		times := []int64{}
		at := time.Unix(r.At, 0).UTC()
		for range r.Count {
			at = schedule.Next(at)
			times = append(times, at.Unix())
		}
		return times, nil
	}
	return nil, fmt.Errorf("unknown kind %q", r.Kind)
}

func environment(variables map[string]any) map[string]any {
	env := bellows.Expand(withoutParents(variables))
	env["asInt"] = builtin.Int
	env["asFloat"] = builtin.Float
	env["jsonpath"] = func(text string, path string) any {
		var data any
		if err := json.Unmarshal([]byte(text), &data); err != nil {
			panic(err)
		}
		value, err := jsonpath.Query(path, data)
		if err != nil {
			panic(err)
		}
		return value
	}
	env["toJson"] = func(v any) string {
		raw, err := json.Marshal(v)
		if err != nil {
			panic(err)
		}
		return string(raw)
	}
	env["sprig"] = sprigFunctions
	return env
}

// withoutParents leaves out what is also the beginning of another name, as Argo does before it expands.
func withoutParents(variables map[string]any) map[string]any {
	kept := map[string]any{}
	for name, value := range variables {
		parent := false
		for other := range variables {
			parent = parent || strings.HasPrefix(other, name+".")
		}
		if !parent {
			kept[name] = value
		}
	}
	return kept
}

func when(text string) (any, error) {
	expression, err := govaluate.NewEvaluableExpression(text)
	if err != nil {
		return nil, fmt.Errorf("Invalid: %w", err)
	}
	tokens := expression.Tokens()
	for i := range tokens {
		if tokens[i].Kind == govaluate.VARIABLE {
			tokens[i].Kind = govaluate.STRING
		}
	}
	expression, err = govaluate.NewEvaluableExpressionFromTokens(tokens)
	if err != nil {
		return nil, fmt.Errorf("Failed to parse: %w", err)
	}
	value, err := expression.Evaluate(nil)
	if err != nil {
		return nil, fmt.Errorf("Failed to evaluate: %w", err)
	}
	if _, ok := value.(bool); !ok {
		return nil, fmt.Errorf("Expected boolean. Got %v", value)
	}
	return value, nil
}

// tags replaces what has a value, quoted as Go quotes, and leaves the rest; the answer is the JSON document that results.
func tags(text string, variables map[string]any) (any, error) {
	template, err := fasttemplate.NewTemplate(text, "{{", "}}")
	if err != nil {
		return nil, err
	}
	replaced, err := template.ExecuteFuncStringWithErr(func(w io.Writer, tag string) (int, error) {
		before := ""
		value, ok := variables[strings.TrimSpace(tag)].(string)
		if at := strings.LastIndex(tag, "{{"); !ok && at > 0 { // a tag within a tag that was cut at the inner one's end
			before = "{{" + tag[:at]
			value, ok = variables[tag[at+2:]].(string)
		}
		if !ok {
			return fmt.Fprintf(w, "{{%s}}", tag)
		}
		quoted := strconv.Quote(value)
		return io.WriteString(w, before+quoted[1:len(quoted)-1])
	})
	if err != nil {
		return nil, err
	}
	var document any
	if err := json.Unmarshal([]byte(replaced), &document); err != nil {
		return nil, err
	}
	return document, nil
}

func image(text string) (any, error) {
	named, err := reference.ParseDockerRef(text)
	if err != nil {
		return nil, err
	}
	// ParseDockerRef drops the tag of a name that has both; ours keeps it for people.
	whole, err := reference.ParseNormalizedNamed(text)
	if err != nil {
		return nil, err
	}
	result := map[string]string{"registry": reference.Domain(named), "repository": reference.Path(named)}
	if tagged, ok := reference.TagNameOnly(whole).(reference.Tagged); ok {
		result["tag"] = tagged.Tag()
	}
	if digested, ok := whole.(reference.Digested); ok {
		result["digest"] = digested.Digest().String()
	}
	return result, nil
}

func choosePlatform(wanted string, names []string) (any, error) {
	platform, err := platforms.Parse(wanted)
	if err != nil {
		return nil, err
	}
	matcher := platforms.Only(platform)
	best, chosen := platforms.Platform{}, ""
	for _, name := range names {
		candidate, err := platforms.Parse(name)
		if err != nil {
			return nil, err
		}
		if matcher.Match(candidate) && (chosen == "" || matcher.Less(candidate, best)) {
			best, chosen = candidate, name
		}
	}
	return chosen, nil
}
