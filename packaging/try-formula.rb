# Does with a formula what Homebrew does, as far as that needs no Homebrew: loads it, installs by it out of an unpacked
# archive, and runs its test.
#
#   ruby try-formula.rb FORMULA ARCHIVE-FOLDER PREFIX
require "fileutils"
require "pathname"

formula, folder, prefix = ARGV.map { |argument| File.expand_path(argument) }

class Pathname
  def install(*sources)
    FileUtils.mkdir_p(self)
    sources.flatten.each { |source| FileUtils.cp_r(source, self) }
  end
end

class Formula
  def self.said
    @said ||= Hash.new { |all, name| all[name] = [] }
  end

  %i[desc homepage version license url sha256].each do |name|
    define_singleton_method(name) { |value| said[name] << value }
  end

  # All systems at once: each has to be well-formed.
  %i[on_macos on_linux on_arm on_intel].each { |name| define_singleton_method(name) { |&block| block.call } }

  def self.test(&block)
    define_method(:run_test, &block)
  end

  def initialize(prefix)
    @prefix = Pathname(prefix)
  end

  {
    bin: "bin", man1: "share/man/man1", doc: "share/doc/alpc-dump", pkgshare: "share/alpc-dump",
    bash_completion: "etc/bash_completion.d", zsh_completion: "share/zsh/site-functions",
    fish_completion: "share/fish/vendor_completions.d",
  }.each { |name, path| define_method(name) { @prefix/path } }

  def shell_output(command)
    printed = `#{command} 2>&1`
    raise "#{command} ended with #{$?.exitstatus}" unless $?.success?
    printed
  end

  def assert_match(expected, actual)
    raise "#{expected.inspect} is not in what was printed" unless actual.include?(expected)
  end
end

load formula
said = AlpcDump.said
wrong = said[:sha256].reject { |sum| sum.match?(/\A\h{64}\z/) } + said[:url].reject { |url| url.match?(/\Ahttps:/) }
raise "not of the form: #{wrong}" unless wrong.empty? && said[:url].size == 4 && said[:sha256].size == 4

made = AlpcDump.new(prefix)
Dir.chdir(folder) { made.install }
made.run_test
