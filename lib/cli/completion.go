package cli

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
)

// completionWord is the hidden command that prints a script for a shell, which the
// packages install: PROGRAM completion bash.
const completionWord = "completion"

// completions make the script of each shell.
//
// They are written here, and not by a library: a script that asks the program at
// each key needs no more than the program's model, but it is slow, and fails in
// the middle of an upgrade. These are files.
var completions = map[string]func(program string, root *kong.Node) string{
	"bash": bashCompletion, "zsh": zshCompletion, "fish": fishCompletion,
}

// complete prints the script that args ask for, and says whether they ask for one.
func (p *parser) complete(args []string) bool {
	if len(args) != 2 || args[0] != completionWord || completions[args[1]] == nil {
		return false
	}
	fmt.Fprint(p.Stdout, completions[args[1]](p.program, p.Model.Node))
	return true
}

// commandsOf are the commands that people see.
func commandsOf(root *kong.Node) []*kong.Node {
	return slices.DeleteFunc(slices.Clone(root.Children), func(n *kong.Node) bool { return n.Hidden })
}

// flagsOf are the flags of a command, or of the program, that people see.
func flagsOf(n *kong.Node) []*kong.Flag {
	return slices.DeleteFunc(slices.Clone(n.Flags), func(f *kong.Flag) bool { return f.Hidden })
}

// values are those that a flag takes, nil if it takes any.
func values(f *kong.Flag) []string {
	if f.Enum == "" {
		return nil
	}
	return f.EnumSlice()
}

// What may stand where a value is to be.
const (
	anyValue = iota
	aFile
	aDirectory
	anApp
)

// kindOf says what a value with that placeholder is.
func kindOf(placeholder string) int {
	switch strings.ToUpper(placeholder) {
	case "FILE", "PATH":
		return aFile
	case "DIR", "APPDIR":
		return aDirectory
	case "APP":
		return anApp
	}
	return anyValue
}

func kindOfFlag(f *kong.Flag) int { return kindOf(f.PlaceHolder) }

// argumentOf is what stands behind a command, anyValue if that is nothing.
func argumentOf(n *kong.Node) int {
	if len(n.Positional) == 0 {
		return anyValue
	}
	return kindOf(n.Positional[0].Name)
}

// firstSentence is as much of a help text as a shell shows.
var firstSentence = regexp.MustCompile(`^.*?[.;:]( |$)`)

func brief(help string) string {
	if m := firstSentence.FindString(help); m != "" {
		help = m
	}
	return strings.TrimRight(strings.TrimSpace(help), ".;:")
}

func quote(text string) string { return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'" }

func functionOf(program string) string { return "_" + strings.ReplaceAll(program, "-", "_") }

func bashCompletion(program string, root *kong.Node) string {
	var b, byFlag, byCommand strings.Builder
	var names []string
	seen := map[string]bool{}
	all := append([]*kong.Node{root}, commandsOf(root)...)
	for _, n := range all {
		words := []string{}
		for _, f := range flagsOf(n) {
			words = append(words, "--"+f.Name)
			if seen[f.Name] {
				continue
			}
			seen[f.Name] = true
			switch {
			case values(f) != nil:
				fmt.Fprintf(&byFlag, "\t--%s) mapfile -t COMPREPLY < <(compgen -W %s -- \"$cur\"); return ;;\n", f.Name, quote(strings.Join(values(f), " ")))
			case kindOfFlag(f) == aDirectory:
				fmt.Fprintf(&byFlag, "\t--%s) mapfile -t COMPREPLY < <(compgen -d -- \"$cur\"); return ;;\n", f.Name)
			case kindOfFlag(f) == aFile:
				fmt.Fprintf(&byFlag, "\t--%s) mapfile -t COMPREPLY < <(compgen -f -- \"$cur\"); return ;;\n", f.Name)
			case !f.IsBool():
				fmt.Fprintf(&byFlag, "\t--%s) return ;;\n", f.Name)
			}
		}
		if n == root {
			fmt.Fprintf(&byCommand, "\t'') flags=%s ;;\n", quote(strings.Join(words, " ")))
			continue
		}
		names = append(names, n.Name)
		argument := map[int]string{anyValue: "-", aFile: "file", aDirectory: "directory", anApp: "app"}[argumentOf(n)]
		fmt.Fprintf(&byCommand, "\t%s) flags=%s argument=%s ;;\n", n.Name, quote(strings.Join(words, " ")), argument)
	}
	fmt.Fprintf(&b, `# bash completion for %[1]s
%[2]s() {
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} command='' flags='' argument='' i
	COMPREPLY=()
	if [ "$cur" = '=' ]; then cur=''; fi
	if [ "$prev" = '=' ]; then prev=${COMP_WORDS[COMP_CWORD-2]}; fi
	for ((i = 1; i < COMP_CWORD; i++)); do
		case ${COMP_WORDS[i]} in
		%[3]s) command=${COMP_WORDS[i]}; break ;;
		esac
	done
	case $prev in
%[4]s	esac
	case $command in
%[5]s	esac
	case $cur in
	-*) mapfile -t COMPREPLY < <(compgen -W "$flags" -- "$cur"); return ;;
	esac
	case $command$argument in
	'') mapfile -t COMPREPLY < <(compgen -W %[6]s -- "$cur") ;;
	*app) mapfile -t COMPREPLY < <(compgen -W "$(passenger-pool list 2>/dev/null)" -- "$cur"); [ ${#COMPREPLY[@]} -gt 0 ] || mapfile -t COMPREPLY < <(compgen -d -- "$cur") ;;
	*directory | *file) mapfile -t COMPREPLY < <(compgen -f -- "$cur") ;;
	esac
}
complete -F %[2]s %[1]s
`, program, functionOf(program), orNothing(names), byFlag.String(), byCommand.String(), quote(strings.Join(names, " ")))
	return b.String()
}

// orNothing is a pattern that any of the names fits, and that fits nothing if there
// are none.
func orNothing(names []string) string {
	if len(names) == 0 {
		return "' '"
	}
	return strings.Join(names, " | ")
}

func zshCompletion(program string, root *kong.Node) string {
	var b strings.Builder
	fmt.Fprintf(&b, "#compdef %s\n%s_apps() { local -a apps; apps=(${(f)\"$(passenger-pool list 2>/dev/null)\"}); compadd -a apps }\n%s() {\n\tlocal context state state_descr line\n\ttypeset -A opt_args\n", program, functionOf(program), functionOf(program))
	apps := functionOf(program) + "_apps"
	action := func(kind int) string {
		return map[int]string{anyValue: " ", aFile: "_files", aDirectory: "_directories", anApp: apps}[kind]
	}
	flags := func(n *kong.Node) string {
		var list strings.Builder
		for _, f := range flagsOf(n) {
			help := strings.NewReplacer("[", "(", "]", ")", ":", " ").Replace(brief(f.Help))
			spec := fmt.Sprintf("--%s[%s]", f.Name, help)
			if !f.IsBool() {
				what := action(kindOfFlag(f))
				if v := values(f); v != nil {
					what = "(" + strings.Join(v, " ") + ")"
				}
				spec = fmt.Sprintf("--%s=[%s]:value:%s", f.Name, help, what)
			}
			if f.IsSlice() {
				spec = "*" + spec
			}
			list.WriteString(" " + quote(spec))
		}
		return list.String()
	}
	commands := commandsOf(root)
	if len(commands) == 0 {
		fmt.Fprintf(&b, "\t_arguments%s %s\n}\n%s \"$@\"\n", flags(root), quote("*:argument:"+action(argumentOf(root))), functionOf(program))
		return b.String()
	}
	b.WriteString("\tlocal -a commands\n\tcommands=(")
	for _, n := range commands {
		b.WriteString(" " + quote(n.Name+":"+strings.ReplaceAll(brief(n.Help), ":", " ")))
	}
	fmt.Fprintf(&b, ")\n\t_arguments -C%s '1:command:->command' '*::argument:->arguments'\n\tcase $state in\n\tcommand) _describe command commands ;;\n\targuments)\n\t\tcase $words[1] in\n", flags(root))
	for _, n := range commands {
		fmt.Fprintf(&b, "\t\t%s) _arguments%s%s %s ;;\n", n.Name, flags(root), flags(n), quote("*:argument:"+action(argumentOf(n))))
	}
	fmt.Fprintf(&b, "\t\tesac ;;\n\tesac\n}\n%s \"$@\"\n", functionOf(program))
	return b.String()
}

func fishCompletion(program string, root *kong.Node) string {
	var b strings.Builder
	line := func(condition string, words ...string) {
		fmt.Fprintf(&b, "complete -c %s", program)
		if condition != "" {
			fmt.Fprintf(&b, " -n %s", quote(condition))
		}
		fmt.Fprintf(&b, " %s\n", strings.Join(words, " "))
	}
	flags := func(condition string, n *kong.Node) {
		for _, f := range flagsOf(n) {
			words := []string{"-l " + f.Name, "-d " + quote(brief(f.Help))}
			switch {
			case f.IsBool():
			case values(f) != nil:
				words = append(words, "-x -a "+quote(strings.Join(values(f), " ")))
			case kindOfFlag(f) == anyValue || kindOfFlag(f) == anApp:
				words = append(words, "-x")
			default:
				words = append(words, "-r -F")
			}
			line(condition, words...)
		}
	}
	flags("", root)
	for _, n := range commandsOf(root) {
		line("__fish_use_subcommand", "-f", "-a "+n.Name, "-d "+quote(brief(n.Help)))
		seen := "__fish_seen_subcommand_from " + n.Name
		flags(seen, n)
		if argumentOf(n) == anApp {
			line(seen, "-f", "-a '(passenger-pool list 2>/dev/null)'")
		}
	}
	return b.String()
}
