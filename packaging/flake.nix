# From a clone: nix run 'git+file:.?dir=packaging' -- memory.dmp
{
  description = "Who waits for whom over ALPC, from Windows kernel crash dumps";

  inputs.nixpkgs.url = "github:NixOS/nixpkgs/nixos-unstable";

  outputs = { self, nixpkgs }:
    let
      systems = [ "x86_64-linux" "aarch64-linux" "x86_64-darwin" "aarch64-darwin" ];
      each = make: nixpkgs.lib.genAttrs systems (system: make nixpkgs.legacyPackages.${system});
      manifest = builtins.fromTOML (builtins.readFile ../Cargo.toml);
    in
    {
      packages = each (pkgs: rec {
        default = alpc-dump;
        alpc-dump = pkgs.rustPlatform.buildRustPackage {
          pname = "alpc-dump";
          inherit (manifest.workspace.package) version;
          src = ../.;
          cargoLock.lockFile = ../Cargo.lock;
          cargoBuildFlags = [ "--package" "alpc-dump" ];
          buildType = "dist";
          # The tests build a hundred programs; they are run before a release is made.
          doCheck = false;
          # Completions and manual pages, which the binary writes itself.
          postInstall = ''
            sh packaging/install --prefix "$out" --binary "$out/bin/alpc-dump"
          '';
          doInstallCheck = true;
          installCheckPhase = ''
            "$out/bin/alpc-dump" fixtures/vista-sp2-x64.dmp message fffff8800f4cc950 |
              cmp - tests/expected/vista-sp2-x64.message.txt
          '';
          meta = {
            inherit (manifest.package) description;
            license = with pkgs.lib.licenses; [ mit asl20 ];
            mainProgram = "alpc-dump";
          };
        };
      });

      apps = each (pkgs: rec {
        default = alpc-dump;
        alpc-dump = {
          type = "app";
          program = "${self.packages.${pkgs.stdenv.hostPlatform.system}.alpc-dump}/bin/alpc-dump";
        };
      });
    };
}
