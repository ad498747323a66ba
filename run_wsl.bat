@echo off
rem Starts ComfyUI inside WSL2. Change the three lines below if yours differ.
set DISTRO=Ubuntu
set COMFYUI_DIR=~/ComfyUI
set COMFYUI_PORT=8188

set WSLENV=%WSLENV%:COMFYUI_DIR:COMFYUI_PORT:COMFYUI_ARGS
where wsl.exe >nul 2>nul || (echo ERROR: WSL is not installed. Run as administrator: wsl --install & goto end)
wsl.exe -d %DISTRO% -- true >nul 2>nul || (echo ERROR: no WSL distribution '%DISTRO%'. See: wsl --list & goto end)
wsl.exe -d %DISTRO% --cd "%~dp0." -- bash scripts/run_wsl.sh
:end
pause
