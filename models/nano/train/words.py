# SPDX-License-Identifier: Apache-2.0
"""The words that the dialogs are made of: the model reads these as whole words and no others."""

BUTTONS = """OK Cancel Save Open Close Apply Yes No Next Back Finish Submit Send Delete Add Remove Edit Copy Paste Print
Search Find Replace Login Logout Help About Quit Exit Stop Start Pause Play Reset Clear Update Refresh Install Download Upload
Share Export Import Continue Accept Reject Confirm Skip Retry Browse Connect New Undo Redo Sort Filter Select Done Create
Register Join Leave Reply Forward Archive Restore Backup Enable Disable Lock Unlock Mute Record Preview Publish Rename Move""".split()

FIELDS = """Name Email Phone City Country Street Title Subject Message Password Username Company Age Date Time Amount Price
Comment Notes Address First Last Code Number File Folder Path Host Port Key Value Label Tag Group Team Role Project Task""".split()

CHECKS = """Remember Subscribe Agree Terms Newsletter Updates Private Public Urgent Hidden Locked Shared Active Sound Music Video Dark
Light Auto Sync Wifi Bluetooth Airplane Location Camera Notifications Backup Encrypt Compress Verify Debug Verbose Silent""".split()

TITLES = ["Please fill in the form", "Settings", "Are you sure?", "Enter your data", "Options", "New entry", "Account", "Contact",
          "Order", "Question", "Warning", "Profile", "Tools", "Your details", "Sign in", "Preferences", "Setup", "Information",
          "Feedback", "Survey"]

VALUES = """Ada Alan Grace Linus Berlin Paris Tokyo London hello world test apple banana red green blue seven eleven 42 2024 100 x y
alpha beta Maria John Smith Lee Chen Kumar Rossi Garcia home work office cat dog tree river stone moon sun star""".split()

ALL = sorted(set(BUTTONS + FIELDS + CHECKS + VALUES + " ".join(TITLES).split()))
