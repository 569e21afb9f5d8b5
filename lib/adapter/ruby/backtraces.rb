# frozen_string_literal: true

module PhusionPassenger
  # What every thread is doing, for people.
  module Backtraces
    # Has SIGQUIT print them to stderr, whatever the app is doing at the time.
    def self.trap_signal
      trap("QUIT") { STDERR.syswrite(all) }
    end

    def self.all
      Thread.list.map do |thread|
        "#{thread.inspect}\n" + (thread.backtrace || []).map { |line| "    #{line}\n" }.join
      end.join("\n")
    end
  end
end
