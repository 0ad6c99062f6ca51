# Written by packaging/release.py, with the addresses and sums of a release.
class AlpcDump < Formula
  desc "Shows who waits for whom over ALPC in Windows kernel crash dumps"
  homepage "$(home)"
  version "$(version)"
  license any_of: ["MIT", "Apache-2.0"]

  on_macos do
    on_arm do
      url "$(url aarch64-apple-darwin)"
      sha256 "$(sha256 aarch64-apple-darwin)"
    end
    on_intel do
      url "$(url x86_64-apple-darwin)"
      sha256 "$(sha256 x86_64-apple-darwin)"
    end
  end

  on_linux do
    on_arm do
      url "$(url aarch64-unknown-linux-gnu)"
      sha256 "$(sha256 aarch64-unknown-linux-gnu)"
    end
    on_intel do
      url "$(url x86_64-unknown-linux-musl)"
      sha256 "$(sha256 x86_64-unknown-linux-musl)"
    end
  end

  def install
    bin.install "alpc-dump"
    bash_completion.install "completions/bash/alpc-dump"
    zsh_completion.install "completions/zsh/_alpc-dump"
    fish_completion.install "completions/fish/alpc-dump.fish"
    man1.install Dir["man/man1/*.1"]
    pkgshare.install "fixtures", "examples"
    doc.install "README.md", "CHANGELOG.md", "LICENSE-MIT", "LICENSE-APACHE", "docs"
  end

  test do
    dump = pkgshare/"fixtures/vista-sp2-x64.dmp"
    message = shell_output("#{bin}/alpc-dump #{dump} message fffff8800f4cc950")
    assert_match "WaitingThread         : fffffa801afae6f0", message
  end
end
