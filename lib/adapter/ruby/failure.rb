# frozen_string_literal: true

module PhusionPassenger
  # Says in a sentence why an app did not load, of what kind that is, and what
  # to do about it. The words of passenger-protocol(7) for a spawn error.
  class Failure
    include Text

    attr_reader :category, :summary, :advice

    def initialize(error, root)
      @error = error
      @message = utf8(error.message)
      @root = root
      @category, @summary, @advice = explain
    end

    def to_json
      "{\"category\":#{quote(category)},\"summary\":#{quote(summary)},\"advice\":#{quote(advice)}}"
    end

    def backtrace
      @error.full_message(highlight: false, order: :top)
    end

    private

    def explain
      case @error
      when SystemExit then explain_exit
      when SyntaxError then explain_syntax(@message)
      when LoadError then explain_load
      when Errno::EACCES, Errno::EPERM then explain_permission
      when NoMemoryError
        ["system", "the system gave the app no more memory while it was loading", "Raise the memory limit."]
      else
        @error.class.name.to_s.start_with?("Bundler::") ? explain_bundler : explain_other
      end
    end

    def explain_exit
      ["exit", "the app called exit with status #{@error.status} while it was loading#{place}",
       "Look at what it printed before."]
    end

    # Ruby's message begins with FILE:LINE; since Ruby 3.4 an excerpt of the
    # code follows on lines of its own, with the cause behind a caret.
    def explain_syntax(text)
      file, line, cause = text.match(/\A(.+?):(\d+): (.*)/)&.captures
      return ["syntax", "the app has a syntax error: #{first_line(text)}", ""] unless file

      caret = text[/\^+~* (.+)/, 1] if cause.start_with?("syntax error") && !cause.include?(",")
      cause = caret || cause.sub(/\Asyntax error,? ?/, "")
      where = "#{short(file)}, line #{line}"
      ["syntax", "syntax error in #{where}: #{cause}", "Correct #{where}."]
    end

    def explain_load
      path = @error.path || @message[/cannot load such file -- (.+)/, 1]
      if @error.is_a?(Gem::LoadError)
        return dependency(@error.name, "the gem #{quote(@error.name)} cannot be used: #{first_line(@message)}")
      end
      return ["dependency", first_line(@message) + place, "Install what is missing."] unless path

      if path.start_with?("/", ".")
        return ["dependency", "the file #{quote(short(path))}, which the app requires, cannot be loaded#{place}",
                "Check that the file was deployed and that #{user} may read it."]
      end
      dependency(path.tr("/", "-"), "#{quote(path)} cannot be loaded#{place}: a gem is missing")
    end

    def dependency(gem, summary)
      advice = if defined?(Bundler)
                 "Add the gem to #{short(ENV['BUNDLE_GEMFILE'] || 'the Gemfile')} if it is not there, " \
                 "and run \"bundle install\" in #{@root}."
               else
                 "Install it (\"gem install #{gem}\"), or list it in a Gemfile in #{@root}."
               end
      ["dependency", summary, advice]
    end

    def explain_bundler
      text = @message
      case @error.class.name
      when "Bundler::GemNotFound"
        name = text[/Could not find gem ['"]?([^\s'"]+)/, 1] || text[/Could not find ([^\s,]+)/, 1]
        name ? dependency(name, "the gem #{quote(name)} is not installed") : dependency("bundler", first_line(text))
      when "Bundler::RubyVersionMismatch"
        ["interpreter", first_line(text), "Set \"ruby\" in Passengerfile.json to that version's interpreter."]
      when "Bundler::PermissionError"
        ["permission", first_line(text), "Run the app as a user who may read its gems."]
      when "Bundler::GemfileNotFound"
        ["dependency", "the Gemfile #{quote(short(ENV['BUNDLE_GEMFILE'] || 'Gemfile'))} does not exist",
         "Correct or unset BUNDLE_GEMFILE."]
      else
        return explain_syntax(utf8(@error.cause.message)) if @error.cause.is_a?(SyntaxError)

        ["dependency", "Bundler: #{first_line(text)}", "Run \"bundle install\" in #{@root}."]
      end
    end

    def explain_permission
      file = @message[/@ \w+ - (.+)\z/, 1]
      return ["permission", "the app was refused something by the system: #{first_line(@message)}#{place}", ""] unless file

      ["permission", "#{quote(short(file))} may not be accessed by #{user}#{place}",
       "Change the permissions of that file, or of a directory above it."]
    end

    def explain_other
      ["app", "the app raised #{@error.class}#{place}: #{first_line(@message)}",
       "Look at the backtrace in the app's output."]
    end

    # Where in the app's own code it happened, as " at FILE:LINE"; empty if no
    # line of the app is in the backtrace.
    def place
      line = (@error.backtrace || []).find { |l| l.start_with?(@root + "/") }
      line ? " at #{short(line[/\A(.+?:\d+)/, 1] || line)}" : ""
    end

    def user
      "user #{ENV['USER'] || Process.euid}"
    end

    # Without the app's directory, which everyone knows.
    def short(path)
      path.start_with?(@root + "/") ? path[(@root.size + 1)..-1] : path
    end
  end
end
